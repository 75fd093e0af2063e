"""The composition root of the vault: the one place where its adapters are chosen."""

import os
import time
from pathlib import Path

from sealgate.adapters.configuration.settings import Configuration
from sealgate.adapters.identity.configured import identities
from sealgate.adapters.vault import folder
from sealgate.adapters.vault.authority import AuthorityClient, Send
from sealgate.model.identifiers import uuid7
from sealgate.sdk.transport import Call, UnixTransport
from sealgate.server.access_log import AccessLog
from sealgate.server.listeners import Listeners, UnixListener
from sealgate.server.serving import Server
from sealgate.server.vault.handlers import VaultService, vault_api
from sealgate.vault.erasure import SubjectErasures
from sealgate.vault.lookups import Lookups
from sealgate.vault.tokens import Tokens

_TIMEOUT_S = 60.0
"""An erasure of many records takes the authority a while."""


def open_vault(configuration: Configuration, access_log: AccessLog | None = None) -> Server:
    """Open the vault and put its server together.

    Raises:
        ConfigurationError: a file, a mode or a setting is wrong.
        UnavailableError: the database cannot be used.
    """
    vault = configuration.vault
    opened = folder.open_folder(vault.directory, vault.passphrase, base=configuration.data_directory)
    authority = AuthorityClient(_sender(configuration.server.socket))
    tokens = Tokens(opened.store, opened.sealing, authority, _unix_ms)
    lookups = Lookups(
        opened.store,
        authority,
        tokens.reveal,
        unix_ms=_unix_ms,
        new_id=lambda: uuid7(_unix_ms(), os.urandom(10)),
        lifetime_ms=vault.lookup_lifetime_s * 1000,
    )
    service = VaultService(tokens, lookups, SubjectErasures(opened.store, authority), opened.store)
    resolver = identities(configuration)
    listeners = Listeners(unix=UnixListener(vault.socket, vault.socket_group or None))
    return Server(vault_api(service), resolver, listeners, access_log=access_log)


def _sender(socket: Path) -> Send:
    transport = UnixTransport(socket, _TIMEOUT_S)

    def send(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        answer = transport.send(Call(method, path, body))
        return answer.status, answer.body

    return send


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000
