"""Server-sent events as streamable HTTP uses them: a message in each event. Pure."""

from dataclasses import dataclass, field
from typing import Final

from sealgate.gateway.envelope import MAX_MESSAGE_BYTES
from sealgate.model.errors import InputError

MEDIA_TYPE: Final = "text/event-stream"


@dataclass(slots=True)
class EventReader:
    """Collects events out of bytes. ``last_id`` and ``retry_ms`` are for going on after the stream breaks."""

    last_id: str = ""
    retry_ms: int = 1000
    _rest: bytes = b""
    _data: list[bytes] = field(default_factory=list)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of every event that is whole now.

        Raises:
            InputError: an event has no end within the bound.
        """
        found = []
        *lines, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            if line:
                self._field(line)
            elif self._data:
                whole = b"\n".join(self._data)
                self._data = []
                if whole.strip():
                    found.append(whole)
        if len(self._rest) + sum(map(len, self._data)) > MAX_MESSAGE_BYTES:
            raise InputError("an event is too long")
        return found

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"id" and b"\0" not in value:
            self.last_id = value.decode("utf-8", "replace")[:1000]
        elif name == b"retry" and value.isdigit():
            self.retry_ms = min(int(value), 30_000)


def event(message: bytes) -> bytes:
    """Return a message as an event."""
    return b"event: message\ndata: " + message + b"\n\n"
