"""The authority's small files in its data directory: policy sets by version, the snapshot, the public log read-only."""

import re
from pathlib import Path
from typing import Final

from sealgate.adapters.durable import create_synced, sync_directory
from sealgate.model.errors import InputError, UnavailableError

_VERSION: Final = re.compile(r"\Asha256:[0-9a-f]{64}\Z", re.ASCII)
_ERASURE: Final = re.compile(r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.ASCII)
_PUBLIC: Final = re.compile(r"\A(checkpoint|tile/[0-9]{1,2}/[x0-9/]+(\.p/[0-9]{1,3})?)\Z", re.ASCII)


class AuthorityFiles:
    """Implements the authority service's storage in one directory. Each write is durable and atomic on return."""

    def __init__(self, data: Path) -> None:
        self._policies = data / "policies"
        self._snapshot = data / "snapshot"
        self._public = data / "log"
        self._erasures = data / "erasures"
        self._run = data / "retention-run.json"

    def load_policy(self, version: str) -> bytes | None:
        """Return the stored policy set with this version, or None; whether it is intact its digest tells the caller."""
        try:
            return self._policy_path(version).read_bytes()
        except FileNotFoundError:
            return None

    def store_policy(self, version: str, bundle: bytes) -> None:
        """Keep a policy set under its version.

        Raises:
            UnavailableError: it could not be stored.
        """
        path = self._policy_path(version)
        try:
            self._policies.mkdir(mode=0o700, exist_ok=True)
            # If we die between file and record, an unpublished set lies here; nothing names it, so nothing loads it.
            create_synced(path, bundle)
            sync_directory(self._policies)
        except OSError as error:
            raise UnavailableError(f"policy set cannot be stored: {error.strerror}", hint="check the disk") from error

    def _policy_path(self, version: str) -> Path:
        if not _VERSION.match(version):
            raise InputError(f"`{version[:80]}` is not a policy version", hint="it looks like `sha256:<64 hex digits>`")
        return self._policies / f"{version[7:]}.json"

    def load_snapshot(self) -> bytes | None:
        """Return the last snapshot, or None."""
        try:
            return self._snapshot.read_bytes()
        except OSError:
            return None  # it only saves replay time

    def store_snapshot(self, sealed: bytes) -> None:
        """Replace the snapshot.

        Raises:
            UnavailableError: it could not be stored; the former one stays.
        """
        try:
            create_synced(self._snapshot, sealed)
            sync_directory(self._snapshot.parent)
        except OSError as error:
            raise UnavailableError(f"snapshot cannot be stored: {error.strerror}", hint="check the disk") from error

    def load_erasures(self) -> list[bytes]:
        """Return all stored states of erasures, in no order.

        Raises:
            UnavailableError: one cannot be read.
        """
        try:
            return [path.read_bytes() for path in sorted(self._erasures.glob("*.json"))]
        except OSError as error:
            raise UnavailableError(f"erasures cannot be read: {error.strerror}", hint="check the disk") from error

    def store_erasure(self, erasure_id: str, state: bytes) -> None:
        """Replace the state of an erasure.

        Raises:
            UnavailableError: it could not be stored; the former state stays.
        """
        if not _ERASURE.match(erasure_id):
            raise InputError(f"`{erasure_id[:80]}` is not an erasure id", hint="it is a lower-case UUID")
        try:
            self._erasures.mkdir(mode=0o700, exist_ok=True)
            create_synced(self._erasures / f"{erasure_id}.json", state)
            sync_directory(self._erasures)
        except OSError as error:
            raise UnavailableError(f"erasure cannot be stored: {error.strerror}", hint="check the disk") from error

    def load_run(self) -> bytes | None:
        """Return the note of a retention run under way, or None."""
        try:
            return self._run.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnavailableError(f"`{self._run}` cannot be read: {error.strerror}") from error

    def store_run(self, note: bytes | None) -> None:
        """Replace the note of a retention run, or remove it; durable on return.

        Raises:
            UnavailableError: it could not be stored; the former one stays.
        """
        try:
            if note is None:
                self._run.unlink(missing_ok=True)
            else:
                create_synced(self._run, note)
            sync_directory(self._run.parent)
        except OSError as error:
            raise UnavailableError(
                f"`{self._run}` cannot be stored: {error.strerror}", hint="check the disk"
            ) from error

    def public_file(self, name: str) -> bytes | None:
        """Return a file of the public log directory, or None where the log has no such file."""
        if not _PUBLIC.match(name):
            return None
        try:
            return (self._public / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
