"""One export request, from its bytes as they came to items: gunzip, decode, map. What a worker process can do alone."""

import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sealgate.model.errors import EncodingError

from . import otlp_json, protobuf
from .bounds import DEFAULT, Bounds
from .logs import map_logs
from .mapping import Sender, map_spans

Signal = Literal["traces", "logs"]
Encoding = Literal["protobuf", "json"]

_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Export:
    """A request as it came."""

    signal: Signal
    encoding: Encoding
    body: bytes
    gzip: bool = False


@dataclass(slots=True)
class Translated:
    """What it holds for us. ``origins`` tells for each item which entry it is of; rejected entries have none."""

    items: list[dict[str, Any]] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    entries: int = 0


def translate(export: Export, sender: Sender, bounds: Bounds = DEFAULT) -> Translated:
    """Return the items of a request.

    Raises:
        EncodingError: it is not what it says it is, or it holds more than ``bounds`` allows.
    """
    data = gunzip(export.body, bounds.max_bytes) if export.gzip else export.body
    decoder = protobuf if export.encoding == "protobuf" else otlp_json
    if export.signal == "traces":
        spans = decoder.decode_traces(data, bounds)
        mapped, rejected, good = map_spans(spans.good, sender), spans.rejected, len(spans.good)
    else:
        records = decoder.decode_logs(data, bounds)
        mapped, rejected, good = map_logs(records.good, sender), records.rejected, len(records.good)
    return Translated(mapped.items, mapped.origins, rejected, mapped.skipped, good + rejected.total())


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """Return what gzip packed; it stops unpacking at the bound, whatever the input says of itself.

    Raises:
        EncodingError: not gzip, cut off, followed by something else, or longer than the bound.
    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacker.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise EncodingError("the body is not gzip", hint="send what Content-Encoding says") from error
    if len(unpacked) > max_bytes:
        raise EncodingError(f"the body unpacks to more than {max_bytes} bytes", hint="send smaller batches")
    if not unpacker.eof or unpacker.unused_data:
        raise EncodingError("the gzip body is cut off or has more behind it", hint="send one complete gzip member")
    return unpacked
