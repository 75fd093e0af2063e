"""The composition root of the evidence service: reading keys, the followed journal, the store, the desk."""

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sealgate.access import Bounds, Desk
from sealgate.access.exports import Exports
from sealgate.access.service import EvidenceService
from sealgate.adapters import reading_policies
from sealgate.adapters.authorities.http import HttpAuthority
from sealgate.adapters.authorities.reading import AuthorityAccessLog
from sealgate.adapters.configuration import loading
from sealgate.adapters.configuration.sections.access import as_grant
from sealgate.adapters.configuration.settings import Configuration
from sealgate.adapters.evidence.service import Bounds as StoreBounds
from sealgate.adapters.evidence.service import Places, open_service
from sealgate.adapters.identity.configured import authorities_of, identities
from sealgate.adapters.installation import DATA_KEYS
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.keys.rotation import TRUST_FILE
from sealgate.cli import _logs
from sealgate.cli.init import EVIDENCE, JOURNAL
from sealgate.ports.identity import IdentityResolver
from sealgate.server.listeners import HttpsListener, Listeners, UnixListener


def places(configuration: Configuration) -> Places:
    """Return where the service reads and keeps."""
    data = configuration.data_directory
    return Places(
        journal=data / JOURNAL,
        log=data / "log",
        data_keys=data / DATA_KEYS,
        trust=data / TRUST_FILE,
        evidence=data / EVIDENCE,
    )


def store_bounds(configuration: Configuration) -> StoreBounds:
    """Return what the store may use; the desk gives a question up first, and records that."""
    return StoreBounds(query_timeout_s=configuration.access.query_timeout_s + 1.0, threads=_threads())


def _threads() -> int:
    """Return how many threads the engine may use: two, but one processor stays with who decides (ADR 0200).

    A second thread on the same processors makes an append no sooner done, and dearer by half.
    """
    return max(1, min(2, len(os.sched_getaffinity(0)) - 1))


def open_evidence(
    configuration_file: Path | None, overrides: Sequence[str] = ()
) -> tuple[EvidenceService, IdentityResolver, Listeners]:
    """Put the evidence service together; call inside a running event loop.

    Raises:
        ConfigurationError: another process owns the store, or a file is missing or malformed.
        UnavailableError: keys or store cannot be used.
    """
    configuration = loading.load(loading.find(configuration_file, os.environ), os.environ, overrides)
    _logs.set_up(configuration.log)
    settings = configuration.access
    opened = open_service(places(configuration), Keyring.of(configuration).open_reading(), store_bounds(configuration))
    desk = Desk(
        queries=opened.queries,
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
    exports = Exports(desk, max_bytes=settings.max_export_bytes)
    service = EvidenceService(desk=desk, exports=exports, following=opened.consumer, close=opened.close)
    resolver = identities(configuration)
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
            more_authorities=partial(authorities_of, configuration.spiffe) if configuration.spiffe else None,
        )
    return Listeners(
        unix=UnixListener(settings.socket, configuration.server.socket_group or None),
        https=https,
        max_connections=configuration.server.max_connections,
        stop_timeout_s=configuration.server.stop_timeout_s,
    )
