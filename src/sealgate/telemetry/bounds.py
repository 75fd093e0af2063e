"""What one OTLP request may hold. Each bound is a number, a unit, a reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of one request. What is over them is refused: the request, or the one span, never a part of a span."""

    max_bytes: int = 8 << 20
    """Decompressed bytes of a request. Exporters send 512 spans at once, collectors 8,192."""

    max_spans: int = 16_384
    """Spans or log records of a request; more of them is a request to refuse as a whole."""

    max_attributes: int = 1024
    """Attributes of one span, event or resource. SDKs stop at 128 unless told otherwise."""

    max_depth: int = 10
    """Nesting of an attribute's value: an item has 16 levels and needs some of its own."""

    max_events: int = 256
    """Events of one span, and links of one span. SDKs stop at 128."""


DEFAULT = Bounds()
"""What the receivers use unless configured otherwise."""
