"""What a server's process gets to know: a least environment, and its secrets by reference.

A reference is ``file:PATH`` or ``command:COMMAND LINE``. The value is read when the server starts, goes into its
environment and nowhere else: not on a command line, which every process can read, and not to the client.
"""

import os
import shlex
import stat
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from sealgate.model.errors import ConfigurationError

INHERITED: Final = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TERM")
"""What a server inherits without being asked for. Credentials of the person who started the client are not here."""

_COMMAND_TIMEOUT_S: Final = 30.0
_MAX_SECRET_BYTES: Final = 64 * 1024


def environment(own: Mapping[str, str], plain: Iterable[str], secrets: Iterable[str]) -> dict[str, str]:
    """Return the environment of a server.

    Args:
        own: our environment.
        plain: ``NAME=value``, or ``NAME`` to hand on our own value.
        secrets: ``NAME=REFERENCE``.

    Raises:
        ConfigurationError: a name is malformed or not set, or a secret cannot be had.
    """
    result = {name: own[name] for name in INHERITED if name in own}
    for item in plain:
        name, given, value = item.partition("=")
        if not given and name not in own:
            raise ConfigurationError(f"variable `{_name(name)}` is not set", hint="set it, or give NAME=value")
        result[_name(name)] = value if given else own[name]
    for item in secrets:
        name, given, reference = item.partition("=")
        if not given:
            raise ConfigurationError(f"secret `{name[:80]}` has no reference", hint="NAME=file:PATH")
        result[_name(name)] = resolve(reference)
    return result


def _name(name: str) -> str:
    if not name.isidentifier() or not name.isascii():
        raise ConfigurationError(f"`{name[:80]}` cannot name a variable")
    return name


def resolve(reference: str) -> str:
    """Return the secret that a reference names, without the line's end.

    Raises:
        ConfigurationError: it cannot be had, or others can read the file.
    """
    kind, _, where = reference.partition(":")
    if kind == "file" and where:
        return _text(_of_file(Path(where).expanduser()), f"file `{where}`")
    if kind == "command" and where:
        return _text(_of_command(shlex.split(where)), f"command `{shlex.split(where)[0]}`")
    raise ConfigurationError("a secret's reference is malformed", hint="file:PATH or command:COMMAND LINE")


def _of_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ConfigurationError(f"others can read `{path}`", hint=f"chmod 600 {path}")
            return file.read(_MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"secret in `{path}` cannot be read: {error.strerror}") from error


def _of_command(arguments: list[str]) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603  # the operator's own configuration names the command
            arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(f"secret's command `{arguments[0]}` failed: {type(error).__name__}") from error
    if done.returncode != 0:
        raise ConfigurationError(f"secret's command `{arguments[0]}` exited with {done.returncode}")
    return done.stdout


def _text(data: bytes, where: str) -> str:
    try:
        value = data.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"secret of {where} is not text") from error
    if not value or len(data) > _MAX_SECRET_BYTES or "\0" in value:
        raise ConfigurationError(f"secret of {where} is empty or too long")
    return value
