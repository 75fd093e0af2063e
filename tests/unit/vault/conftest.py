"""A real vault in a folder of its own; only the authority's side is kept in a list, and may be told to fail."""

import uuid

import pytest

from sealgate.adapters.vault import folder
from sealgate.model.erasure import Erasure, Facts, State
from sealgate.model.errors import UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.vault.erasure import SubjectErasures
from sealgate.vault.lookups import Lookups
from sealgate.vault.tokens import Tokens, Value


def person(name, *roles):
    """A caller."""
    return Identity(principal=name, proof="unix_peer", roles=frozenset(roles))


class Authority:
    """What the authority was told, in order. ``failing``: it cannot be reached; ``hold``: it refuses erasures."""

    def __init__(self):
        self.events = []
        self.erasures = []
        self.failing = False
        self.hold = False

    def record(self, event):
        """Keep the event."""
        if self.failing:
            raise UnavailableError("no authority answers")
        self.events.append(event)
        return str(uuid.uuid4())

    def erase(self, subject, request):
        """Do as an authority does."""
        if self.failing:
            raise UnavailableError("no authority answers")
        self.erasures.append(request.vault)
        state = State.REFUSED if self.hold else State.REQUESTED if request.vault == "pending" else State.EXECUTED
        return Erasure(
            erasure_id=request.erasure_id,
            subject=subject,
            basis=request.basis,
            operator=request.requested_by,
            proof="internal",
            state=state,
            requested_record_id="r",
            vault=request.vault,
            facts=Facts(scopes=[], key_ids=[], from_index=0, to_index=0, records=0, index_digest=""),
        )


class World:
    """The vault's parts over one folder; ``reopen`` is a restart."""

    def __init__(self, path):
        self.path = path
        self.now = 1_795_219_200_000
        self.authority = Authority()
        folder.create(path, created="2026-11-21T00:00:00Z")
        self.open()

    def open(self):
        """Open the folder."""
        opened = folder.open_folder(self.path, f"file:{self.path / 'unlock'}", base=self.path)
        self.store, self.sealing = opened.store, opened.sealing
        self.tokens = Tokens(self.store, self.sealing, self.authority, lambda: self.now)
        self.lookups = Lookups(
            self.store,
            self.authority,
            self.tokens.reveal,
            unix_ms=lambda: self.now,
            new_id=lambda: str(uuid.uuid4()),
            lifetime_ms=60_000,
        )
        self.erasures = SubjectErasures(self.store, self.authority)

    def reopen(self):
        """Close and open again."""
        self.store.close()
        self.open()

    def ada(self):
        """Register a person with two values."""
        values = [Value("email", "Ada@Example.org"), Value("phone", "+44 20 7946 0018")]
        return self.tokens.register(values, None, person("clerk"))

    def disk(self):
        """Every byte of the folder."""
        return b"".join(file.read_bytes() for file in sorted(self.path.rglob("*")) if file.is_file())


@pytest.fixture(name="world")
def _world(tmp_path):
    """A new vault."""
    world = World(tmp_path / "vault")
    yield world
    world.store.close()
