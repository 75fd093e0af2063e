"""The process that knows what tokens stand for."""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

from dataclasses import dataclass
from pathlib import Path

from sealgate.adapters.configuration.setting import optional


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """The vault: what tokens stand for. A process of its own."""

    enabled: str = optional(
        "no", "Whether `sealgate serve` starts it beside the authority (`--alone` does not).", choices=("yes", "no")
    )
    directory: Path = optional(Path("vault"), "The vault's folder; relative to the data directory.")
    socket: Path = optional(Path("vault/vault.sock"), "Its Unix socket; relative to the data directory.")
    socket_group: str = optional(
        "", "The group whose members may connect besides the vault's user; empty: nobody else."
    )
    passphrase: str = optional("file:vault/unlock", "Where the passphrase of the vault's key file is.")
    lookup_lifetime_s: int = optional(
        900,
        "How long a look-up waits for consent, and its requester may then fetch the value.",
        "seconds",
        least=10,
        most=86_400,
    )
