"""Secrets by reference: configuration names where a secret is, never the secret.

``file:/path`` (mode 0600, ours), ``credential:name`` (systemd's ``$CREDENTIALS_DIRECTORY``), ``command:program args``
(its standard output). One newline at the end is not part of the secret.
"""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Final

from sealgate.adapters import protected_files
from sealgate.model.errors import ConfigurationError, UnavailableError

COMMAND_TIMEOUT_S: Final = 30
_HINT: Final = "use file:/path, credential:name or command:program"


def read(reference: str, *, base: Path | None = None) -> bytes:
    """Return the secret that ``reference`` names; a relative file is looked up under ``base``.

    Raises:
        ConfigurationError: the reference is malformed, or what it names is missing, empty or open to others.
        UnavailableError: the command failed.
    """
    kind, colon, rest = reference.partition(":")
    if not colon or not rest:
        raise ConfigurationError(f"`{reference.partition(':')[0][:20]}…` is not a reference to a secret", hint=_HINT)
    if kind == "file":
        secret = protected_files.read((base or Path()) / rest)
    elif kind == "credential":
        secret = _credential(rest)
    elif kind == "command":
        secret = _command(rest)
    else:
        raise ConfigurationError(f"`{kind[:20]}:` is not a kind of secret reference", hint=_HINT)
    secret = secret.removesuffix(b"\n")
    if not secret:
        raise ConfigurationError(f"the secret at `{kind}:…` is empty", hint="write it there")
    return secret


def _credential(name: str) -> bytes:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ConfigurationError(
            f"credential `{name}` needs systemd", hint="LoadCredential= sets CREDENTIALS_DIRECTORY"
        )
    if "/" in name or name in (".", ".."):
        raise ConfigurationError(f"credential name `{name}` is a path", hint="use the name given to LoadCredential=")
    # No mode check: systemd made the folder for this service alone, and its ACL shows as group bits.
    try:
        return (Path(folder) / name).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"credential `{name}` cannot be read: {error.strerror}") from error


def _command(line: str) -> bytes:
    try:
        arguments = shlex.split(line)
        done = subprocess.run(  # noqa: S603  # the operator's own configuration names the program; no shell is involved
            arguments, check=True, capture_output=True, timeout=COMMAND_TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except (OSError, ValueError, IndexError) as error:
        raise ConfigurationError(f"passphrase command cannot be run: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"passphrase command did not end within {COMMAND_TIMEOUT_S} s") from error
    except subprocess.CalledProcessError as error:
        # Its output is not repeated here: it may be the secret.
        raise UnavailableError(f"passphrase command ended with status {error.returncode}") from error
    return done.stdout
