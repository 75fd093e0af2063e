"""The whole configuration: its sections, and what must hold between them."""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from sealgate.adapters.configuration.sections.access import Access, GrantEntry, check_grants
from sealgate.adapters.configuration.sections.approvals import Approvals, ApproverEntry
from sealgate.adapters.configuration.sections.authority import (
    Authority,
    Decisions,
    Delegations,
    Log,
    Policies,
    Server,
    Tls,
)
from sealgate.adapters.configuration.sections.callers import (
    Callers,
    IdentityEntry,
    OidcEntry,
    SpiffeEntry,
    check_callers,
)
from sealgate.adapters.configuration.sections.collector import Collector, RouteEntry
from sealgate.adapters.configuration.sections.credentials import CredentialEntry, check_credentials
from sealgate.adapters.configuration.sections.keys import Keys
from sealgate.adapters.configuration.sections.ledger import Journal, Ledger, Timestamps, WitnessEntry
from sealgate.adapters.configuration.sections.otlp import Otlp, check_otlp
from sealgate.adapters.configuration.sections.records import Privacy, Records, Retention, RetentionClassEntry
from sealgate.adapters.configuration.sections.vault import Vault
from sealgate.model.errors import ConfigurationError

_Section = TypeVar("_Section")


def _section(make: Callable[[], _Section]) -> Any:
    return field(default_factory=make)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The whole configuration, checked; all paths absolute."""

    authority: Authority
    server: Server = _section(Server)
    tls: Tls = _section(Tls)
    decisions: Decisions = _section(Decisions)
    journal: Journal = _section(Journal)
    ledger: Ledger = _section(Ledger)
    timestamps: Timestamps = _section(Timestamps)
    records: Records = _section(Records)
    keys: Keys = _section(Keys)
    collector: Collector = _section(Collector)
    otlp: Otlp = _section(Otlp)
    log: Log = _section(Log)
    privacy: Privacy = _section(Privacy)
    policies: Policies = _section(Policies)
    access: Access = _section(Access)
    vault: Vault = _section(Vault)
    retention: Retention = _section(Retention)
    delegations: Delegations = _section(Delegations)
    approvals: Approvals = _section(Approvals)
    witness: tuple[WitnessEntry, ...] = ()
    route: tuple[RouteEntry, ...] = ()
    identity: tuple[IdentityEntry, ...] = ()
    oidc: tuple[OidcEntry, ...] = ()
    spiffe: tuple[SpiffeEntry, ...] = ()
    grant: tuple[GrantEntry, ...] = ()
    credential: tuple[CredentialEntry, ...] = ()
    retention_class: tuple[RetentionClassEntry, ...] = ()
    approver: tuple[ApproverEntry, ...] = ()

    @property
    def data_directory(self) -> Path:
        """The data directory, absolute."""
        return self.authority.data_directory


SECTIONS: Final[dict[str, type]] = {
    "authority": Authority,
    "server": Server,
    "tls": Tls,
    "decisions": Decisions,
    "journal": Journal,
    "ledger": Ledger,
    "timestamps": Timestamps,
    "records": Records,
    "keys": Keys,
    "collector": Collector,
    "otlp": Otlp,
    "log": Log,
    "privacy": Privacy,
    "policies": Policies,
    "access": Access,
    "vault": Vault,
    "retention": Retention,
    "delegations": Delegations,
    "approvals": Approvals,
}
"""The tables of the file, in the order of the documentation."""

REPEATED: Final[dict[str, type]] = {
    "witness": WitnessEntry,
    "route": RouteEntry,
    "identity": IdentityEntry,
    "oidc": OidcEntry,
    "spiffe": SpiffeEntry,
    "grant": GrantEntry,
    "credential": CredentialEntry,
    "retention_class": RetentionClassEntry,
    "approver": ApproverEntry,
}
"""The arrays of tables."""


def check_together(configuration: Configuration) -> None:
    """Refuse settings that do not fit each other.

    Raises:
        ConfigurationError: says which.
    """
    if configuration.tls.listen and Path() in (configuration.tls.certificate, configuration.tls.key):
        raise ConfigurationError(
            "`tls.listen` needs `tls.certificate` and `tls.key`", hint="set both, or empty `listen`"
        )
    if configuration.collector.listen and Path() in (configuration.tls.certificate, configuration.tls.key):
        raise ConfigurationError(
            "`collector.listen` needs `tls.certificate` and `tls.key`", hint="set both, or empty `listen`"
        )
    if configuration.ledger.witness_quorum > len(configuration.witness):
        quorum, witnesses = configuration.ledger.witness_quorum, len(configuration.witness)
        hint = "add `[[witness]]` entries or lower the quorum"
        raise ConfigurationError(f"`ledger.witness_quorum` is {quorum}, with {witnesses} witnesses", hint=hint)
    if configuration.timestamps.url and configuration.timestamps.roots == Path():
        raise ConfigurationError("`timestamps.url` needs `timestamps.roots`", hint="name the PEM file of its root")
    keys = configuration.keys
    if "pkcs11" in (keys.store, keys.wrapping) and (
        keys.pkcs11_module == Path() or not keys.pkcs11_token or not keys.pkcs11_pin
    ):
        raise ConfigurationError(
            "keys are on a `pkcs11` device without module, token and PIN", hint="set `keys.pkcs11_*`"
        )
    if bool(keys.pkcs11_wrapping_token) != bool(keys.pkcs11_wrapping_pin):
        raise ConfigurationError(
            "the wrapping key's own token needs both label and PIN",
            hint="set `keys.pkcs11_wrapping_token` and `keys.pkcs11_wrapping_pin`, or neither",
        )
    if keys.wrapping == "kms" and not keys.kms_key:
        raise ConfigurationError("`keys.wrapping` is `kms` without a key", hint="set `keys.kms_key`")
    check_otlp(configuration.otlp)
    check_credentials(configuration.credential)
    check_callers(Callers(configuration.identity, configuration.oidc, configuration.spiffe))
    check_grants(configuration.grant)
    _check_approvals(configuration)


def _check_approvals(configuration: Configuration) -> None:
    approvals = configuration.approvals
    if approvals.webhook and not approvals.webhook.startswith(("https://", "http://127.0.0.1:", "http://[::1]:")):
        raise ConfigurationError("`approvals.webhook` is not `https://…`", hint="notices name agents and tools")
    if bool(approvals.webhook) != bool(approvals.webhook_key):
        raise ConfigurationError("`approvals.webhook` and `approvals.webhook_key` go together", hint="set both or none")
    if approvals.callback_approvers and not approvals.callback_key:
        raise ConfigurationError("`approvals.callback_approvers` without `callback_key`", hint="set the key")
    known = {entry.principal for entry in configuration.approver if entry.roles}
    known |= {entry.name for entry in configuration.identity if entry.approver_roles}
    for name in approvals.callback_approvers:
        if name not in known:
            raise ConfigurationError(f"callback approver `{name}` has no approver role", hint="add an `[[approver]]`")
