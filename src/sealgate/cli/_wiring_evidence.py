"""The composition root of the evidence service: reading keys, the followed journal, the store, the desk."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sealgate.access import Bounds, Desk
from sealgate.access.exports import Exports
from sealgate.access.row_export import RowExporter
from sealgate.access.service import EvidenceService
from sealgate.adapters import reading_policies
from sealgate.adapters.authorities.http import HttpAuthority
from sealgate.adapters.authorities.reading import AuthorityAccessLog
from sealgate.adapters.configuration import loading
from sealgate.adapters.configuration.settings import Configuration, as_grant
from sealgate.adapters.evidence.store import DuckStore
from sealgate.adapters.identity.api_keys import ApiKeys
from sealgate.adapters.identity.resolver import ConfiguredIdentities
from sealgate.adapters.installation import API_KEYS, DATA_KEYS
from sealgate.adapters.journals.following import FollowingJournal
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.keys.reading_keys import ReadingKeys
from sealgate.adapters.keys.rotation import TRUST_FILE
from sealgate.adapters.stores.directory import DirectoryLog
from sealgate.cli import _logs
from sealgate.cli.init import JOURNAL
from sealgate.evidence.answers import ProofState, Status
from sealgate.evidence.consumer import Consumer
from sealgate.evidence.queries import Queries
from sealgate.evidence.records import Records
from sealgate.ports.identity import IdentityResolver
from sealgate.proofs import trust
from sealgate.server.listeners import HttpsListener, Listeners, UnixListener

STORE = "evidence"


class _Follower:
    """The consumer as the service runs it; remembers how much is published, for the proof state of answers."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def run(self, stop: threading.Event, *, failed: Callable[[Exception], float]) -> None:
        """Follow until ``stop`` is set."""
        self._consumer.run(stop, failed=failed)

    def status(self) -> Status:
        """Tell how far the store follows."""
        return self._consumer.status()


def open_store(configuration: Configuration, folder: Path) -> tuple[DuckStore, Consumer, Queries]:
    """Open a store in ``folder`` over the installation's journal, with reading keys only.

    Raises:
        ConfigurationError: another process owns the store, or a file is missing.
        UnavailableError: keys or store cannot be used.
    """
    data = configuration.data_directory
    wrapping = Keyring.of(configuration).open_reading()
    known = trust.parse((data / TRUST_FILE).read_bytes())
    journal = FollowingJournal(data / JOURNAL, DirectoryLog(data / "log"), known.log)
    keys = ReadingKeys(data / DATA_KEYS, wrapping)
    store = DuckStore(folder, wrapping, query_timeout_s=float(configuration.access.query_timeout_s))
    consumer = Consumer(Records(journal, keys, configuration.authority.origin), keys, store)

    def proof(index: int) -> ProofState:
        # Only what the published checkpoint covers is ever projected.
        return "included" if index >= 0 else "signed"

    queries = Queries(store, proof=proof, exporter=RowExporter(store, proof), status=consumer.status)
    return store, consumer, queries


def open_evidence(
    configuration_file: Path | None, overrides: Sequence[str] = ()
) -> tuple[EvidenceService, IdentityResolver, Listeners]:
    """Put the evidence service together; call inside a running event loop. Raises as ``open_store``."""
    configuration = loading.load(loading.find(configuration_file, os.environ), os.environ, overrides)
    _logs.set_up(configuration.log)
    settings, data = configuration.access, configuration.data_directory
    folder = data / STORE
    folder.mkdir(mode=0o700, exist_ok=True)
    store, consumer, queries = open_store(configuration, folder)
    desk = Desk(
        queries=queries,
        log=AuthorityAccessLog(HttpAuthority(f"unix:{configuration.server.socket}")),
        point=reading_policies.load(None if settings.policies == Path() else settings.policies),
        unix_ms=lambda: time.time_ns() // 1_000_000,
        configured=[as_grant(entry) for entry in configuration.grant],
        bounds=Bounds(
            max_rows=min(settings.max_rows, 1000),
            timeout_s=float(settings.query_timeout_s),
            export_timeout_s=float(settings.export_timeout_s),
            threads=settings.queries,
            waiting=settings.waiting,
        ),
    )
    exports = Exports(desk, folder=folder, max_bytes=settings.max_export_bytes, clock=time.monotonic)
    service = EvidenceService(desk=desk, exports=exports, following=_Follower(consumer), close=store.close)
    resolver = ConfiguredIdentities(configuration.identity, ApiKeys(data / API_KEYS))
    return service, resolver, _listeners(configuration)


def _listeners(configuration: Configuration) -> Listeners:
    settings, tls = configuration.access, configuration.tls
    https = None
    if settings.listen:
        host, _, port = settings.listen.rpartition(":")
        https = HttpsListener(
            host=host.strip("[]"),
            port=int(port),
            certificate=tls.certificate,
            private_key=tls.key,
            client_authorities=None if tls.client_ca == Path() else tls.client_ca,
            client_certificate="required" if tls.client_certificate == "required" else "optional",
            minimum_tls="1.2" if tls.min_version == "1.2" else "1.3",
        )
    return Listeners(
        unix=UnixListener(settings.socket, configuration.server.socket_group or None),
        https=https,
        max_connections=configuration.server.max_connections,
        stop_timeout_s=configuration.server.stop_timeout_s,
    )
