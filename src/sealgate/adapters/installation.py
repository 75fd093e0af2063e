"""Makes the data directory of a new authority: keys, databases, configuration, trust file. All of it or nothing.

Everything is made in a hidden sibling folder and appears under its name by one rename, which fails where anything is.
A crash leaves only that sibling, which the next attempt removes.
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from sealgate.adapters import protected_files
from sealgate.adapters.configuration import loading, reference
from sealgate.adapters.configuration.loading import FILE_NAME
from sealgate.adapters.configuration.roles import ROLES
from sealgate.adapters.configuration.sections.keys import Keys
from sealgate.adapters.durable import sync_directory
from sealgate.adapters.keys import devices, file, keyring
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.envelope import (
    COST_OF_HUMAN_PASSPHRASE,
    COST_OF_RANDOM_PASSPHRASE,
    SALT_BYTES,
    Cost,
    Purpose,
)
from sealgate.adapters.keys.rotation import TRUST_FILE
from sealgate.authority import key_events
from sealgate.encoding import canonical
from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.proofs import notes, trust

DATA_KEYS: Final = "data-keys.db"
API_KEYS: Final = "api-keys.json"
_AUTHORITY_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_ORIGIN: Final = re.compile(r"[a-z0-9][a-z0-9.:-]*(/[A-Za-z0-9._~-]+)*", re.ASCII)

Extra = Callable[[Path, str], None]
"""Makes what another part of the system needs in the new data directory, given it and the log's origin."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the new authority is. Without passphrases random ones are made and kept in files beside the keys."""

    origin: str
    authority_id: str
    operator_uid: int
    created: str
    predecessor: str | None = None
    passphrase: bytes | None = None
    passphrase_reference: str | None = None
    root_passphrase: bytes | None = None
    device: Keys | None = None
    """The PKCS#11 device that holds statement, log, receipt and wrapping key already; None: they are made as files."""

    settings: tuple[str, ...] = ()
    """``section.key=value``: what the configuration says besides."""

    def check(self) -> None:
        """Refuse names that statements or notes cannot carry.

        Raises:
            ConfigurationError: says which.
        """
        if not _AUTHORITY_ID.fullmatch(self.authority_id):
            hint = "1 to 64 of a-z, 0-9, `.`, `_`, `-`"
            raise ConfigurationError(f"`{self.authority_id[:80]}` cannot be an authority id", hint=hint)
        if not _ORIGIN.fullmatch(self.origin) or len(self.origin) > 200:
            hint = "a host and a path without scheme, e.g. ledger.example.com/acme/2026h2"
            raise ConfigurationError(f"`{self.origin[:80]}` cannot be an origin", hint=hint)
        for name in loading.set_by(self.settings):
            if name.startswith(("authority.", "keys.")):
                hint = "`sealgate init --help` has options for names and keys; or change the file afterwards"
                raise ConfigurationError(f"`{name}` is not set like this", hint=hint)
        loading.parse(_configuration(self), base=Path("/"), environment={})


def create(directory: Path, plan: Plan, *, extra: Extra | None = None) -> None:
    """Make the data directory, durable on return; never overwrites.

    Raises:
        ConfigurationError: something is there already, or the plan names something impossible.
        UnavailableError: it cannot be written; nothing is left.
    """
    plan.check()
    directory = directory.absolute()
    _refuse_existing(directory)
    try:
        with _staging(directory) as staging:
            _fill(staging, plan)
            if extra is not None:
                extra(staging, plan.origin)
            for folder in [staging, *(path for path in staging.rglob("*") if path.is_dir())]:
                sync_directory(folder)
            # If we die before this, nothing is there under the name. After it, everything is.
            os.rename(staging, directory)  # noqa: PTH104 - the system call is the point here
            sync_directory(directory.parent)
    except OSError as error:
        if directory.exists():
            _refuse_existing(directory)
        raise UnavailableError(f"`{directory}` cannot be made: {error.strerror}", hint="nothing was changed") from error


def _refuse_existing(directory: Path) -> None:
    if (directory / FILE_NAME).exists():
        hint = "it is never overwritten; `sealgate doctor` checks it"
        raise ConfigurationError(f"`{directory}` holds an authority already", hint=hint)
    if directory.is_symlink() or (directory.exists() and (not directory.is_dir() or any(directory.iterdir()))):
        raise ConfigurationError(f"`{directory}` exists and is not empty", hint="name a new or empty folder")


@contextlib.contextmanager
def _staging(directory: Path) -> Iterator[Path]:
    """Yield a new private sibling folder; whatever happens, it is gone afterwards or has its final name."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{directory.name}.init-"
    for left_over in directory.parent.glob(f"{prefix}*"):
        _remove_if_dead(left_over)
    staging = directory.parent / f"{prefix}{os.getpid()}-{secrets.token_hex(4)}"
    staging.mkdir(mode=0o700)
    lock = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield staging
    finally:
        os.close(lock)
        shutil.rmtree(staging, ignore_errors=True)


def _remove_if_dead(staging: Path) -> None:
    """Remove what a crashed attempt left; one that is under way holds its lock."""
    try:
        lock = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(staging, ignore_errors=True)
    os.close(lock)


def _fill(data: Path, plan: Plan) -> None:
    keys = data / "keys"
    keys.mkdir(mode=0o700)
    (data / "log").mkdir(mode=0o755)
    passphrase, cost = plan.passphrase or secrets.token_urlsafe(32).encode(), _cost(plan.passphrase)
    root_passphrase = plan.root_passphrase or secrets.token_urlsafe(32).encode()
    if plan.passphrase is None:
        protected_files.create(keys / keyring.UNLOCK, passphrase + b"\n")
    if plan.root_passphrase is None:
        protected_files.create(keys / keyring.ROOT_UNLOCK, root_passphrase + b"\n")
    make = partial(
        file.generate, passphrase=passphrase, created=plan.created, cost=cost, salt=secrets.token_bytes(SALT_BYTES)
    )
    make(keys / keyring.PERMIT, Purpose.PERMIT)
    make(keys / keyring.TOKEN, Purpose.TOKEN)
    public = _make_files(keys, make) if plan.device is None else _find_on_device(plan.device)
    if plan.device is None:
        _make_wrapping(keys, plan, make)
    _endorse(data, plan, public, root_passphrase)
    SqliteDataKeys.create(data / DATA_KEYS)
    protected_files.create(data / FILE_NAME, _configuration(plan).encode())


def _make_files(keys: Path, make: Callable[[Path, Purpose], bytes | None]) -> dict[Purpose, bytes]:
    names = {Purpose.LOG: keyring.LOG, Purpose.RECEIPT: keyring.RECEIPT, Purpose.STATEMENT: "statement.key"}
    public = {purpose: _public(make(keys / name, purpose)) for purpose, name in names.items()}
    statement_name = keyring.statement_file_name(public[Purpose.STATEMENT])
    (keys / "statement.key").rename(keys / statement_name)
    protected_files.create(keys / keyring.CURRENT, statement_name.encode() + b"\n")
    return public


def _make_wrapping(keys: Path, plan: Plan, make: Callable[[Path, Purpose], bytes | None]) -> None:
    """Make the key-encryption key under a passphrase of its own: who reads bodies opens it and no signing key.

    A passphrase that the operator keeps elsewhere is never joined by one in a file: then all files share theirs.
    """
    if plan.passphrase is not None:
        make(keys / keyring.WRAPPING, Purpose.WRAPPING)
        return
    passphrase = secrets.token_urlsafe(32).encode()
    protected_files.create(keys / keyring.READING_UNLOCK, passphrase + b"\n")
    cost = COST_OF_RANDOM_PASSPHRASE
    file.generate(keys / keyring.WRAPPING, Purpose.WRAPPING, passphrase, created=plan.created, cost=cost)


def _find_on_device(keys: Keys) -> dict[Purpose, bytes]:
    device = devices.Device(keys, Path())
    bodies = devices.Device(devices.wrapping_token(keys), Path()) if keys.pkcs11_wrapping_token else device
    bodies.wrapping_key(keys.pkcs11_wrapping_label)
    return {
        Purpose.STATEMENT: device.signer(keys.pkcs11_statement_label).public_key,
        Purpose.LOG: device.signer(keys.pkcs11_log_label).public_key,
        Purpose.RECEIPT: device.signer(keys.pkcs11_receipt_label).public_key,
    }


def _cost(passphrase: bytes | None) -> Cost:
    return COST_OF_RANDOM_PASSPHRASE if passphrase is None else COST_OF_HUMAN_PASSPHRASE


def _public(key: bytes | None) -> bytes:
    if key is None:
        raise ConfigurationError("a signing key has no public half")
    return key


def _endorse(data: Path, plan: Plan, public: dict[Purpose, bytes], root_passphrase: bytes) -> None:
    """Make the root key, and with it the members of the first record and the trust file."""
    path = data / "keys" / keyring.ROOT
    file.generate(path, Purpose.ROOT, root_passphrase, created=plan.created, cost=_cost(plan.root_passphrase))
    root = file.open_signer(path, root_passphrase, Purpose.ROOT)
    log_key = notes.VerifierKey(plan.origin, notes.ED25519, public[Purpose.LOG])
    members = key_events.genesis(
        origin=plan.origin,
        authority_id=plan.authority_id,
        log_key=log_key.encode(),
        root_key=root.public_key,
        statement_key=public[Purpose.STATEMENT],
        receipt_key=public[Purpose.RECEIPT],
        predecessor=plan.predecessor,
        sign=root.sign,
    )
    protected_files.create(data / "keys" / keyring.GENESIS, canonical.encode(members) + b"\n")
    trusted = trust.Trust(
        origin=plan.origin,
        log=log_key,
        root_key=root.public_key,
        receipt_key=public[Purpose.RECEIPT],
        statement_keys=(trust.StatementKey(public[Purpose.STATEMENT], 0),),
    )
    protected_files.create(data / TRUST_FILE, trust.encode(trusted))


def _configuration(plan: Plan) -> str:
    values: dict[str, Any] = {"authority.origin": plan.origin, "authority.id": plan.authority_id}
    values["collector.enabled"] = values["access.enabled"] = "yes"
    values["policies.approval"] = "one_person"
    if plan.passphrase_reference is not None:
        values["keys.passphrase"] = values["vault.passphrase"] = plan.passphrase_reference
    if plan.device is not None:
        values |= {"keys.store": "pkcs11", "keys.pkcs11_module": str(plan.device.pkcs11_module)}
        values |= {"keys.pkcs11_token": plan.device.pkcs11_token, "keys.pkcs11_pin": plan.device.pkcs11_pin}
        if plan.device.pkcs11_wrapping_token:
            values["keys.pkcs11_wrapping_token"] = plan.device.pkcs11_wrapping_token
            values["keys.pkcs11_wrapping_pin"] = plan.device.pkcs11_wrapping_pin
    values |= loading.set_by(plan.settings)
    identity = f"""\
# Who may call. The user that ran `sealgate init` may do everything, and speak for every agent: give each agent its own
# entry with its own operating-system user before you rely on this (`sealgate doctor` reminds you).
[[identity]]
name = "operator"
uid = {plan.operator_uid}
agents = ["*"]
roles = {json.dumps([role for role in ROLES if role not in ("approve", "auditor")])}

#[[identity]]
#name = "billing-agent"
#uid = 1001
#agents = ["billing"]
#roles = ["enforce"]
"""
    return reference.template(values, identity)
