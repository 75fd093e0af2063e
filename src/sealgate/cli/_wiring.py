"""The composition root: the one place where the authority's adapters are chosen, from its configuration."""

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sealgate.adapters import protected_files
from sealgate.adapters.approval_webhook import Webhook
from sealgate.adapters.approver_roles import approver_roles
from sealgate.adapters.archiving.process import ProcessArchiver
from sealgate.adapters.building.process import ProcessBuilding
from sealgate.adapters.configuration import loading, reference
from sealgate.adapters.configuration.settings import Configuration
from sealgate.adapters.credentials.tokens import key_set
from sealgate.adapters.identity.configured import authorities_of, identities
from sealgate.adapters.installation import DATA_KEYS
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.judging.process import ProcessJudge
from sealgate.adapters.keys import genesis, passphrase
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.keyring import Keyring, OpenKeys
from sealgate.adapters.keys.rotation import RotationFiles
from sealgate.adapters.redaction import PolicyRedactor
from sealgate.adapters.retention_classes import classes_of, period_of
from sealgate.adapters.signing.process import ProcessSigning
from sealgate.adapters.stores.authority_files import AuthorityFiles
from sealgate.adapters.stores.directory import DirectoryLog, DirectoryStaging
from sealgate.adapters.stores.lock_sqlite import SqliteLock
from sealgate.adapters.timestamps.rfc3161 import HttpTimestampAuthority, read_roots
from sealgate.authority.approval_requests import Settings as ApprovalSettings
from sealgate.authority.drafts import Place
from sealgate.authority.followers import TimestampFollower, WitnessFollower
from sealgate.authority.gate import Times
from sealgate.authority.idempotency import Remembered
from sealgate.authority.parts import Parts
from sealgate.authority.permits import OpenDecisions, PermitMac
from sealgate.authority.publisher import Publisher
from sealgate.authority.reader import Reader
from sealgate.authority.receipts import Receipts
from sealgate.authority.recorder import Recorder
from sealgate.authority.retention_parts import Settings as RetentionSettings
from sealgate.authority.service import Authority
from sealgate.authority.state import Memory
from sealgate.authority.timekeeping import Timekeeper
from sealgate.cli import _logs
from sealgate.cli._children import CHILDREN, Supervisor
from sealgate.cli._wiring_credentials import sources
from sealgate.cli.init import JOURNAL, LOCK, STAGING
from sealgate.encoding.callback_signature import MIN_KEY_BYTES
from sealgate.ledger.log import Keys, Ledger
from sealgate.ledger.recovery import Stores
from sealgate.ledger.shrinking import ShrinkingBundles
from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.ports.identity import IdentityResolver
from sealgate.proofs import notes
from sealgate.server.listeners import HttpsListener, Listeners, UnixListener
from sealgate.witness.client import WitnessClient

_LOG = logging.getLogger(__name__)
_LATE_WINDOW_MS = 3_600_000
"""How long after ``outcome_unknown`` a late report is still taken in."""


class SystemClock:
    """The operating system's clocks."""

    def unix_ms(self) -> int:
        """Return Unix time in milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()


_WRITTEN_BY_US = (JOURNAL, LOCK, DATA_KEYS, STAGING, "log")
"""Whoever could write here could sign by us, or have us forget what we signed: the start refuses it."""


def open_authority(
    configuration_file: Path | None, overrides: Sequence[str] = ()
) -> tuple[Authority, IdentityResolver, Listeners]:
    """Open everything that the configuration names and put the authority together; call inside a running event loop.

    Raises:
        ConfigurationError: a file, a mode or a setting is wrong; the message says which.
        AlteredError, ForkError: journal, lock and published log contradict each other; nothing may be signed.
    """
    path = loading.find(configuration_file, os.environ)
    configuration = loading.load(path, os.environ, overrides)
    _logs.set_up(configuration.log)
    data = configuration.data_directory
    ring = Keyring.of(configuration)
    for ours in (path, data, ring.directory, *(data / name for name in _WRITTEN_BY_US)):
        if ours.exists():  # what is missing has an error of its own
            protected_files.require_unwritable(ours)
    if (made_as := genesis.endorsed(ring, configuration)["authority_id"]) != configuration.authority.id:
        hint = f"set `authority.id` to `{made_as}`, as the log's first record has it"
        raise ConfigurationError(f"`authority.id` is `{configuration.authority.id}`", hint=hint)
    RotationFiles(ring, data).settle()
    keys = ring.open()
    loop = asyncio.get_running_loop()
    journal = FileJournal(
        data / JOURNAL,
        configuration.authority.origin,
        deliver=loop.call_soon_threadsafe,
        loop=loop,
        segment_bytes=configuration.journal.segment_bytes,
        queue_records=configuration.journal.queue_length,
    )
    classes = classes_of(configuration)
    data_keys = SqliteDataKeys(data / DATA_KEYS, keys.wrapping, period_of=partial(period_of, classes))
    lock = SqliteLock(data / LOCK, configuration.authority.origin)
    ledger = _ledger(configuration, keys, journal, lock)
    authority = _authority(configuration, ring, keys, journal, data_keys, lock, ledger)
    resolver = identities(configuration)
    return authority, resolver, _listeners(configuration)


def open_children(configuration_file: Path | None, overrides: Sequence[str] = ()) -> Supervisor | None:
    """Return who keeps the configured child processes running, or None where none is configured."""
    path = loading.find(configuration_file, os.environ)
    configuration = loading.load(path, os.environ, overrides)
    enabled = [child for child in CHILDREN if child.enabled(configuration)]
    if not enabled:
        return None
    variables = configuration.keys.device_environment
    return Supervisor(enabled, config_path=path, flags=overrides, device_environment=variables)


def _ledger(configuration: Configuration, keys: OpenKeys, journal: FileJournal, lock: SqliteLock) -> Ledger:
    data, origin = configuration.data_directory, configuration.authority.origin
    public, staging = data / "log", data / STAGING
    stores = Stores(journal=journal, public=DirectoryLog(public), staging=DirectoryStaging(staging), lock=lock)
    building = None
    if configuration.ledger.builders and _has_second_processor():
        building = ProcessBuilding(origin, journal=data / JOURNAL, public=public, staging=staging, lock=journal.lock)
    signers = Keys(
        log=keys.log,
        receipt=keys.receipt,
        issuer=f"urn:sealgate:authority:{configuration.authority.id}",
        witnesses=tuple(notes.parse_vkey(entry.vkey) for entry in configuration.witness),
        quorum=configuration.ledger.witness_quorum,
    )
    return Ledger(origin, stores, signers, building=building)


def _authority(
    configuration: Configuration,
    ring: Keyring,
    keys: OpenKeys,
    journal: FileJournal,
    data_keys: SqliteDataKeys,
    lock: SqliteLock,
    ledger: Ledger,
) -> Authority:
    records, decisions = configuration.records, configuration.decisions
    place = Place(
        origin=configuration.authority.origin,
        authority_id=configuration.authority.id,
        region=records.region,
        environment=records.environment,
        retention_class=records.retention_class,
        regime=records.regime or None,
    )
    recorder = Recorder(
        place=place,
        journal=journal,
        signer=keys.statement,
        data_keys=data_keys,
        time=Timekeeper(SystemClock(), tolerance_ms=records.clock_tolerance_ms),
        classes=classes_of(configuration),
        signing=ProcessSigning() if decisions.signers and _has_second_processor() else None,
    )
    reader = Reader(journal=journal, data_keys=data_keys, origin=place.origin)
    followers = _followers(configuration, ledger)
    publisher = Publisher(
        ledger,
        interval_s=configuration.ledger.checkpoint_interval_ms / 1000,
        followers=followers,
    )

    approvals = configuration.approvals
    webhook = _webhook(configuration)

    def close() -> None:
        if webhook is not None:
            webhook.close()
        for follower in followers:
            follower.close()
        ledger.close()
        lock.close()
        data_keys.close()

    archiver = None
    if configuration.retention.archivers and _has_second_processor():
        archiver = ProcessArchiver(place.origin, data_keys, lock=journal.lock)
    token_signer = ring.open_token_signer()
    authority = Authority(
        Parts(
            memory=Memory(
                OpenDecisions(late_window_ms=_LATE_WINDOW_MS),
                Remembered(window_ms=decisions.idempotency_window_s * 1000),
            ),
            journal=journal,
            data_keys=data_keys,
            recorder=recorder,
            reader=reader,
            permits=PermitMac(keys.permit),
            receipts=Receipts(reader=reader, log=ledger),
            publisher=publisher,
            storage=AuthorityFiles(configuration.data_directory),
            times=Times(
                deadline_ms=decisions.deadline_ms,
                permit_ttl_ms=decisions.permit_ttl_s * 1000,
                outcome_due_ms=decisions.outcome_deadline_s * 1000,
            ),
            genesis=genesis.endorsed(ring, configuration),
            rotations=RotationFiles(ring, configuration.data_directory),
            judges=ProcessJudge() if decisions.judges else None,
            close=close,
            second_person=configuration.policies.approval == "second_person",
            unproven="refuse" if configuration.delegations.unproven == "refuse" else "judge",
            settings=reference.flat(configuration),
            backup_days=configuration.keys.backup_days,
            retention=RetentionSettings(
                classes=classes_of(configuration),
                compact=configuration.retention.compact == "yes",
                prune=configuration.retention.prune == "yes",
                interval_s=configuration.retention.run_at_interval_s,
            ),
            credentials=sources(configuration, token_signer),
            token_keys=key_set(token_signer),
            bundles=ShrinkingBundles(DirectoryLog(configuration.data_directory / "log"), ledger.size),
            archiver=archiver,
            approvals=ApprovalSettings(
                approver_roles(configuration), approvals.ttl_s * 1000, approvals.prompts_per_hour, approvals.max_open
            ),
            redact=_redactor(configuration).redact,
            notify=None if webhook is None else webhook.notify,
            callback_key=_callback_key(configuration),
            callback_approvers=frozenset(approvals.callback_approvers),
        )
    )
    publisher.when_halted(authority.halt)
    return authority


def _has_second_processor() -> bool:
    return len(os.sched_getaffinity(0)) > 1


def _redactor(configuration: Configuration) -> PolicyRedactor:
    """Return what applies the field policy to the arguments that approvers see."""
    privacy = configuration.privacy
    key = passphrase.read(privacy.hash_key, base=configuration.data_directory) if privacy.hash_key else None
    return PolicyRedactor.read(None if privacy.policy == Path() else privacy.policy, key)


def _webhook(configuration: Configuration) -> Webhook | None:
    approvals = configuration.approvals
    if not approvals.webhook:
        return None
    key = passphrase.read(approvals.webhook_key, base=configuration.data_directory)
    return Webhook(approvals.webhook, key, timeout_s=approvals.webhook_timeout_s)


def _callback_key(configuration: Configuration) -> bytes | None:
    """Return the key of signed answers, or None where none are taken.

    Raises:
        ConfigurationError: it cannot be read, or is too short.
    """
    reference = configuration.approvals.callback_key
    if not reference:
        return None
    key = passphrase.read(reference, base=configuration.data_directory)
    if len(key) < MIN_KEY_BYTES:
        raise ConfigurationError(f"`approvals.callback_key` has fewer than {MIN_KEY_BYTES} bytes")
    return key


def _followers(configuration: Configuration, ledger: Ledger) -> list[WitnessFollower | TimestampFollower]:
    """Return who is asked after each checkpoint.

    Raises:
        ForkError: a witness has seen more than this log, or another history: it was restored from an old copy.
    """
    followers: list[WitnessFollower | TimestampFollower] = []
    if configuration.witness:
        clients = [WitnessClient(entry.url, notes.parse_vkey(entry.vkey)) for entry in configuration.witness]
        witnesses = WitnessFollower(ledger, clients)
        try:
            witnesses.compare()
        except UnavailableError as error:
            # Not a reason to stay down: each cosignature asked for later makes the same comparison.
            _LOG.warning("no witness could be compared with: %s", error.message)
        followers.append(witnesses)
    stamps = configuration.timestamps
    if stamps.url:
        stamper = HttpTimestampAuthority(stamps.url, read_roots(stamps.roots))
        followers.append(
            TimestampFollower(ledger, stamper, interval_s=stamps.interval_s, monotonic_s=SystemClock().monotonic_s)
        )
    return followers


def _listeners(configuration: Configuration) -> Listeners:
    tls = configuration.tls
    https = None
    if tls.listen:
        host, _, port = tls.listen.rpartition(":")
        https = HttpsListener(
            host=host.strip("[]"),
            port=int(port),
            certificate=tls.certificate,
            private_key=tls.key,
            client_authorities=None if tls.client_ca == Path() else tls.client_ca,
            client_certificate="required" if tls.client_certificate == "required" else "optional",
            minimum_tls="1.2" if tls.min_version == "1.2" else "1.3",
            more_authorities=partial(authorities_of, configuration.spiffe) if configuration.spiffe else None,
        )
    return Listeners(
        unix=UnixListener(configuration.server.socket, configuration.server.socket_group or None),
        https=https,
        public_url=configuration.server.public_url,
        max_connections=configuration.server.max_connections,
        max_in_flight=configuration.decisions.queue_length,
        max_request_bytes=configuration.server.max_request_bytes,
        stop_timeout_s=configuration.server.stop_timeout_s,
    )
