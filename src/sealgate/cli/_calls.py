"""Speaks to the running authority over its Unix socket, as the operating-system user that runs the command."""

from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson

from sealgate.cli._configuration import load
from sealgate.encoding import canonical
from sealgate.model.errors import SealgateError, UnavailableError
from sealgate.sdk.transport import Call, UnixTransport

_TIMEOUT_S: Final = 30.0


class RefusedError(SealgateError):
    """The authority refused; message and hint are its own."""


def call(config_path: Path | None, flags: tuple[str, ...], method: str, path: str, body: Any = None) -> Any:
    """Return the JSON that the authority answers. ``body`` may be bytes that are JSON already.

    Raises:
        RefusedError: the authority said no, with its reason.
        UnavailableError: it cannot be reached.
    """
    return canonical.parse(fetch(config_path, flags, method, path, body), max_bytes=16 << 20)


def fetch(config_path: Path | None, flags: tuple[str, ...], method: str, path: str, body: Any = None) -> bytes:
    """Return the bytes that the authority answers; raises as ``call``."""
    socket = load(config_path, flags).server.socket
    content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    return _exchange(socket, Call(method, path, content), "no authority answers", "start it: `sealgate serve`")


def _exchange(socket: Path, request: Call, absent: str, hint: str) -> bytes:
    transport = UnixTransport(socket, _TIMEOUT_S)
    try:
        answer = transport.send(request)
    except UnavailableError as error:
        raise UnavailableError(f"{absent} on `{socket}`: {error.message}", hint=hint) from error
    finally:
        transport.close()
    if not 200 <= answer.status < 300:
        raise refusal(answer.status, answer.body)
    return answer.body


def vault_call(config_path: Path | None, flags: tuple[str, ...], method: str, path: str, body: Any = None) -> Any:
    """Return the JSON that the vault answers; raises as ``call``."""
    socket = load(config_path, flags).vault.socket
    content = b"" if body is None else orjson.dumps(body)
    answer = _exchange(socket, Call(method, path, content), "no vault answers", "start it: `sealgate vault serve`")
    return canonical.parse(answer, max_bytes=16 << 20)


def refusal(status: int, body: bytes) -> RefusedError:
    """Return the error for an answer that is none of success: what its problem document says."""
    try:
        problem = canonical.parse(body)
    except SealgateError:
        problem = None
    if not isinstance(problem, dict):
        return RefusedError(f"the authority answered {status}")
    detail, hint = problem.get("detail") or problem.get("title"), problem.get("hint")
    return RefusedError(str(detail or f"the authority answered {status}"), hint=str(hint or ""))


def segment(text: str) -> str:
    """Return ``text`` as one path segment."""
    return quote(text, safe="")
