"""An authority over HTTP (ports.collecting.Destination): its Unix socket, or HTTPS with an API key.

A few kept connections, one request at a time on each. A request that fails in any way that leaves its effect unknown is
an UnavailableError; nothing is sent twice here, because the one who asked has to know.
"""

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from sealgate.model.batches import BatchesRecorded, BatchesRequest, BatchRecorded, BatchRequest
from sealgate.model.errors import ConfigurationError, InputError, NotPermittedError, UnavailableError

_MAX_HEAD_BYTES: Final = 16 * 1024
_MAX_ANSWER_BYTES: Final = 4 << 20
_TIMEOUT_S: Final = 30.0
_KEPT: Final = 4
_HINT: Final = "send the same batch again"

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(BatchesRecorded).decode
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Problem(msgspec.Struct):
    detail: str = ""
    hint: str = ""
    type: str = ""


class HttpAuthority:
    """One authority: ``unix:/path`` or ``https://host:port``. Owned by one event loop."""

    def __init__(self, address: str, *, token: str = "", authorities: Path | None = None) -> None:
        parts = urlsplit(address)
        if parts.scheme == "unix":
            self._path: str | None = parts.path
            self._host, self._port, self._tls = "sealgate", 0, None
        elif parts.scheme == "https" and parts.hostname:
            self._path = None
            self._host, self._port = parts.hostname, parts.port or 443
            self._tls = ssl.create_default_context(cafile=authorities)
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        else:
            raise ConfigurationError(f"`{address}` is no authority", hint="write unix:/path or https://host:port")
        proof = f"Authorization: Bearer {token}\r\n" if token else ""
        self._head = f" HTTP/1.1\r\nHost: {self._host}\r\n{proof}"
        self._where = address
        self._kept: list[_Connection] = []

    async def record(self, batches: Sequence[BatchRequest]) -> list[BatchRecorded]:
        """Return once all batches are on stable storage there, in their order."""
        body = _encode(BatchesRequest(list(batches)))
        status, answer = await self.exchange("POST /v1/batches", body)
        if status == 200:
            try:
                recorded = _decode(answer).recorded
            except msgspec.DecodeError as error:
                raise UnavailableError(f"the authority's answer cannot be read: {error}", hint=_HINT) from error
            if [each.batch_id for each in recorded] != [each.batch_id for each in batches]:
                raise UnavailableError("the authority answered for other batches", hint=_HINT)
            return recorded
        raise _refusal(status, answer)

    async def ready(self) -> str:
        """Return "ok" when it answers at all, or why that cannot be said. Whether it can record shows when it does."""
        status, _ = await self.exchange("GET /healthz", b"")
        return "ok" if status == 200 else f"it answers {status}"

    async def exchange(self, line: str, body: bytes) -> tuple[int, bytes]:
        """Send one request (`POST /path`) and return status and body.

        Raises:
            UnavailableError: there is no answer; its effect is unknown.
        """
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                reader, writer = self._idle() or await self._connect()
                try:
                    head = f"{line}{self._head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                    writer.writelines((head.encode(), body))
                    await writer.drain()
                    status, length, close = _read_head(await reader.readuntil(b"\r\n\r\n"))
                    answer = await reader.readexactly(length)
                except BaseException:
                    writer.close()
                    raise
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise UnavailableError(f"the authority at `{self._where}` does not answer: {why}", hint=_HINT) from error
        if close or len(self._kept) >= _KEPT:
            writer.close()
        else:
            self._kept.append((reader, writer))
        return status, answer

    def _idle(self) -> _Connection | None:
        """Return a kept connection that the authority has not closed meanwhile, as it does with idle ones."""
        while self._kept:
            reader, writer = self._kept.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return None

    async def _connect(self) -> _Connection:
        if self._path is not None:
            return await asyncio.open_unix_connection(self._path, limit=_MAX_HEAD_BYTES)
        return await asyncio.open_connection(self._host, self._port, ssl=self._tls, limit=_MAX_HEAD_BYTES)

    async def close(self) -> None:
        """Close the kept connections."""
        while self._kept:
            self._kept.pop()[1].close()


def _read_head(head: bytes) -> tuple[int, int, bool]:
    """Return status, length of the body, and whether the connection ends with it."""
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(fields.get("content-length", "0"))
    if not 0 <= length <= _MAX_ANSWER_BYTES:
        raise ValueError(f"an answer of {length} bytes")
    return int(first.split(" ", 2)[1]), length, fields.get("connection", "").lower() == "close"


def _refusal(status: int, answer: bytes) -> InputError | NotPermittedError | UnavailableError:
    try:
        problem = msgspec.json.decode(answer, type=_Problem)
    except (msgspec.DecodeError, msgspec.ValidationError):
        problem = _Problem()
    detail = problem.detail or f"the authority answered {status}"
    if status in {400, 413}:
        return InputError(detail, hint=problem.hint)
    if status == 409:
        return NotPermittedError(detail, code="request-id-reused", hint=problem.hint)
    if status in {401, 403}:  # the operator's to mend, not the sender's
        return UnavailableError(f"the authority refuses this collector: {detail}", hint=problem.hint)
    return UnavailableError(detail, hint=problem.hint or _HINT)
