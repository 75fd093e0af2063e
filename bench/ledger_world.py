"""A small real world for ledger tests and benchmarks: keys, a journal and a log in one directory."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.stores.directory import DirectoryLog, DirectoryStaging
from sealgate.adapters.stores.lock_sqlite import SqliteLock
from sealgate.encoding import statement
from sealgate.encoding.statement import ClaimsEncoder
from sealgate.ledger.log import Keys, Ledger
from sealgate.ledger.recovery import Stores
from sealgate.ports.journal import JournalRecord
from sealgate.proofs.notes import ED25519, VerifierKey

ORIGIN: Final = "ledger.example.com/acme/2026h2"
ISSUER: Final = "urn:sealgate:authority:bench"


class SeedSigner:
    """A ``ports.signer.Signer`` whose key is made from a word. For tests and benchmarks only."""

    def __init__(self, word: str) -> None:
        self.public_key, self._secret = crypto_sign_seed_keypair(sha256(word.encode()).digest())
        self.key_id = statement.key_id(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """Sign."""
        return crypto_sign(message, self._secret)[:64]


LOG_KEY: Final = VerifierKey(ORIGIN, ED25519, SeedSigner("log").public_key)


def keys() -> Keys:
    """Return the log's and the receipts' signers."""
    return Keys(SeedSigner("log"), SeedSigner("receipt"), ISSUER)


class Producer:
    """Makes really signed statements: one boot of an authority."""

    def __init__(self, boot: int = 0) -> None:
        self._signer = SeedSigner("statement")
        epoch = sha256(b"boot %d" % boot).digest()[:16]
        self._encoder = ClaimsEncoder(kid=self._signer.key_id, iss=ISSUER, epoch=epoch)

    def record(self, number: int) -> JournalRecord:
        """Return the record of this number; the same number gives the same record."""
        sealed = sha256(b"body %d" % number).digest() * 12
        commitment = sealed[:32]
        protected = self._encoder.protected(
            sub="urn:sealgate:agent:00112233445566778899aabbccddeeff", iat=1_790_000_000 + number // 100, seq=number
        )
        signature = self._signer.sign(statement.signing_input(protected, commitment))
        return JournalRecord(statement.assemble(protected, commitment, signature), sealed)


@dataclass(frozen=True, slots=True)
class World:
    """An open journal and log."""

    journal: FileJournal
    ledger: Ledger
    lock: SqliteLock
    public: DirectoryLog

    def close(self) -> None:
        """Close all."""
        self.ledger.close()
        self.journal.close()
        self.lock.close()


def make(directory: Path) -> None:
    """Make an empty journal and lock in ``directory``."""
    FileJournal.create(directory / "journal", ORIGIN)
    SqliteLock.create(directory / "lock.sqlite", ORIGIN)


def open_world(directory: Path, *, segment_bytes: int = 1 << 26) -> World:
    """Open what ``make`` made."""
    journal = FileJournal(directory / "journal", ORIGIN, segment_bytes=segment_bytes)
    lock = SqliteLock(directory / "lock.sqlite", ORIGIN)
    public = DirectoryLog(directory / "log")
    stores = Stores(journal, public, DirectoryStaging(directory / "staging"), lock)
    try:
        return World(journal, Ledger(ORIGIN, stores, keys()), lock, public)
    except BaseException:
        journal.close()
        lock.close()
        raise
