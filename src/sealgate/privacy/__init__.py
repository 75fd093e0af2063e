"""What may leave a process: detectors, field policy, redaction. Pure: no file, network, clock or randomness.

``redact_item`` applies a ``FieldPolicy`` to a record's item, ``redact_text`` to a single text. All matching is linear
in the length of the text (google-re2), also with patterns that a user wrote.
"""

from .findings import Finding
from .keys import RedactionKeys
from .known import KnownValue, KnownValues
from .policy import FieldPolicy
from .redacted import Redacted, Redaction, TokenSource
from .redaction import redact_item
from .scanner import Scanner
from .texts import redact_text

__all__ = [
    "FieldPolicy",
    "Finding",
    "KnownValue",
    "KnownValues",
    "Redacted",
    "Redaction",
    "RedactionKeys",
    "Scanner",
    "TokenSource",
    "redact_item",
    "redact_text",
]
