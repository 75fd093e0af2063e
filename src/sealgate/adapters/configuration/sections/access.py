"""Through what evidence is read, and who may."""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

from dataclasses import dataclass
from pathlib import Path

from sealgate.adapters.configuration.setting import optional, required
from sealgate.model.errors import ConfigurationError, InputError
from sealgate.model.grants import READING_ROLES, Grant
from sealgate.model.grants import check as check_grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The service through which evidence is read."""

    enabled: str = optional("no", "Whether `sealgate serve` runs it beside the authority.", choices=("yes", "no"))
    socket: Path = optional(Path("evidence/evidence.sock"), "Its Unix socket; relative to the data directory.")
    listen: str = optional("", "Address and port of its HTTPS listener, with the certificate of `[tls]`; empty: none.")
    policies: Path = optional(Path(), "A folder with reading policies (`*.cedar`) of your own; empty: those we ship.")
    query_timeout_s: int = optional(
        10, "A question that takes longer, waiting included, is stopped.", "seconds", least=1, most=3600
    )
    export_timeout_s: int = optional(
        600, "An export that takes longer, waiting included, is stopped.", "seconds", least=1, most=86_400
    )
    queries: int = optional(2, "Questions that run at once.", "questions", least=1, most=64)
    waiting: int = optional(16, "Questions that wait at once; more are refused.", "questions", least=0, most=4096)
    max_rows: int = optional(1000, "Rows of one page.", "rows", least=1, most=10_000)
    max_export_bytes: int = optional(
        1 << 30,
        "A longer export is refused, and a new one while those that wait in memory have so many.",
        "bytes",
        least=1 << 20,
        most=1 << 40,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantEntry:
    """A reading role with limits; repeat `[[grant]]`. Without limits a role in `[[identity]]` is enough."""

    name: str = required("How records name this grant.")
    principal: str = required("Who may read: the name of an identity or API key.")
    role: str = required("The role.", choices=READING_ROLES)
    valid_from: str = optional("", "From when on, RFC 3339; empty: at once.")
    valid_until: str = optional("", "Until when, RFC 3339; empty: for ever. An auditor's grant needs one.")
    agents: tuple[str, ...] = optional((), "The agents whose records may be read; empty: all that the role may.")
    kinds: tuple[str, ...] = optional((), "The kinds of records; empty: all.")
    since: str = optional("", "The time of the oldest record, RFC 3339; empty: the first.")
    until: str = optional("", "The time before which records may be read, RFC 3339; empty: the newest.")


def check_grants(grants: tuple[GrantEntry, ...]) -> None:
    """Refuse grants that the desk would refuse.

    Raises:
        ConfigurationError: says which.
    """
    for grant in grants:
        try:
            check_grant(as_grant(grant))
        except InputError as error:
            raise ConfigurationError(f"grant `{grant.name}`: {error.message}", hint=error.hint) from error


def as_grant(entry: GrantEntry) -> Grant:
    """Return a configured grant as the desk takes it."""
    return Grant(
        grant_id=f"configuration:{entry.name}",
        principal=entry.principal,
        role=entry.role,
        valid_from=entry.valid_from or None,
        valid_until=entry.valid_until or None,
        agents=list(entry.agents),
        kinds=list(entry.kinds),
        since=entry.since or None,
        until=entry.until or None,
        granted_by="configuration",
        reason="configured",
    )
