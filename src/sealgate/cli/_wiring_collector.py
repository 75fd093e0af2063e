"""The composition root of the collector: the one place where its adapters are chosen, from its configuration."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sealgate.adapters.authorities.http import HttpAuthority
from sealgate.adapters.configuration import loading
from sealgate.adapters.configuration.settings import Configuration
from sealgate.adapters.identity.configured import authorities_of, identities
from sealgate.adapters.keys import passphrase
from sealgate.adapters.preparers import HerePreparer, WorkerPreparer
from sealgate.adapters.redaction import PolicyRedactor
from sealgate.adapters.vault.redacting import VaultRedactor
from sealgate.cli import _logs
from sealgate.cli._wiring_otlp import otlp_receivers
from sealgate.collector.batching import Outbox
from sealgate.collector.preparing import Enrichment, Preparation
from sealgate.collector.routing import Route, Routing
from sealgate.collector.service import Bounds, Collector
from sealgate.ports.identity import IdentityResolver
from sealgate.server.listeners import HttpsListener, Listeners, UnixListener


def open_collector(
    configuration_file: Path | None, overrides: Sequence[str] = ()
) -> tuple[Collector, IdentityResolver, Listeners]:
    """Put the collector together; call inside a running event loop.

    Further ways in (gRPC, for one) are added here: append a ``collector.service.Listener`` to ``collector.listeners``.
    Further HTTP routes go into ``server.collector.routes``.

    Raises:
        ConfigurationError: a file, a mode or a setting is wrong; the message says which.
    """
    configuration = loading.load(loading.find(configuration_file, os.environ), os.environ, overrides)
    _logs.set_up(configuration.log)
    preparation = Preparation(
        routing=_routing(configuration), enrichment=_enrichment(configuration), redactor=_redactor(configuration)
    )
    workers = configuration.collector.workers
    collector = Collector(
        preparer=WorkerPreparer(preparation, workers) if workers else HerePreparer(preparation),
        outboxes=_outboxes(configuration),
        bounds=Bounds(configuration.collector.pending_bytes, configuration.collector.pending_requests),
    )
    resolver: IdentityResolver = identities(configuration)
    collector.listeners += otlp_receivers(configuration, collector, resolver)
    return collector, resolver, _listeners(configuration)


def _redactor(configuration: Configuration) -> PolicyRedactor:
    privacy = configuration.privacy
    key = passphrase.read(privacy.hash_key, base=configuration.data_directory) if privacy.hash_key else None
    policy = None if privacy.policy == Path() else privacy.policy
    if configuration.vault.enabled == "yes":
        return VaultRedactor.read(policy, key).at(configuration.vault.socket)
    return PolicyRedactor.read(policy, key)


def _routing(configuration: Configuration) -> Routing:
    default = configuration.records.retention_class
    routes = [
        Route(entry.authority, entry.retention_class or default, entry.region, entry.classification)
        for entry in configuration.route
    ]
    return Routing(routes or [Route("", default)])


def _enrichment(configuration: Configuration) -> Enrichment:
    collector, records = configuration.collector, configuration.records
    known = {"version": collector.deployment_version, "cluster": collector.cluster}
    return Enrichment(
        environment=collector.environment or records.environment,
        region=collector.region or records.region or None,
        deployment=tuple((name, value) for name, value in known.items() if value),
    )


def _outboxes(configuration: Configuration) -> dict[str, Outbox]:
    linger_s = configuration.collector.linger_ms / 1000
    own = f"unix:{configuration.server.socket}"
    addresses = {"": HttpAuthority(own)}
    for entry in configuration.route:
        if entry.authority and entry.authority not in addresses:
            token = passphrase.read(entry.key, base=configuration.data_directory).decode("ascii") if entry.key else ""
            authorities = None if entry.ca == Path() else entry.ca
            addresses[entry.authority] = HttpAuthority(entry.authority, token=token, authorities=authorities)
    if configuration.route and all(entry.authority for entry in configuration.route):
        del addresses[""]
    return {name: Outbox(address, linger_s=linger_s) for name, address in addresses.items()}


def _listeners(configuration: Configuration) -> Listeners:
    collector, tls = configuration.collector, configuration.tls
    https = None
    if collector.listen:
        host, _, port = collector.listen.rpartition(":")
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
        unix=UnixListener(collector.socket, configuration.server.socket_group or None),
        https=https,
        max_connections=configuration.server.max_connections,
        stop_timeout_s=configuration.server.stop_timeout_s,
    )
