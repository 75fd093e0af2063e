"""The vault as who redacts calls it: tokens for values, known values of registered persons; over its Unix socket."""

import http.client
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from sealgate.model.errors import UnavailableError
from sealgate.vault.tokens import Known, Value

_TIMEOUT_S: Final = 3.0
_MAX_ANSWER_BYTES: Final = 64 << 20
_Answer = TypeVar("_Answer")


class _Tokens(msgspec.Struct):
    tokens: list[str]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("vault", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(str(self._path))


class VaultClient:
    """Calls one vault, a connection for each call. Any thread may use it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exchange(self, values: Sequence[Value]) -> list[str]:
        """Return a token for each value. Raises UnavailableError when the vault does not give them."""
        tokens = self._call("POST", "/v1/tokens", msgspec.json.encode({"values": list(values)}), _Tokens).tokens
        if len(tokens) != len(values):
            raise UnavailableError("the vault answered for other values")
        return tokens

    def known(self, version: str | None) -> Known:
        """Return the known values; none where ``version`` is the current one. Raises UnavailableError."""
        return self._call("GET", "/v1/known-values" + (f"/{version}" if version else ""), b"", Known)

    def _call(self, method: str, path: str, body: bytes, kind: type[_Answer]) -> _Answer:
        connection = _UnixConnection(self._path)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read(_MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            hint = "start it: `sealgate vault serve`"
            raise UnavailableError(f"no vault answers: {type(error).__name__}", hint=hint) from error
        finally:
            connection.close()
        if answer.status != 200 or len(content) > _MAX_ANSWER_BYTES:
            hint = "its caller needs the role `tokenize`" if answer.status == 403 else ""
            raise UnavailableError(f"the vault answered {answer.status}", hint=hint)
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError as error:
            raise UnavailableError("the vault's answer cannot be read") from error
