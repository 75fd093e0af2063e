"""Tokens stand for values and tell nothing; persons are known by their values."""

import pytest

from sealgate.adapters.vault import folder
from sealgate.model.errors import AlteredError, ConfigurationError, InputError, NotPermittedError, UnavailableError
from sealgate.vault.tokens import MAX_VALUES, Value
from sealgate.vault.values import VALUE_TOKEN, canonical_value

from .conftest import World, person

CLERK = person("clerk", "subjects")


def test_the_same_value_has_the_same_token(world):
    """Also after a restart and in another spelling; another value, or the same as another type, has another token."""
    first, second = world.tokens.exchange([Value("email", "bob@example.org"), Value("email", "eve@example.org")])
    world.reopen()

    assert world.tokens.exchange([Value("email", " BOB@example.org")]) == [first]
    assert world.tokens.exchange([Value("name", "bob@example.org")]) != [first]
    assert first != second
    assert all(VALUE_TOKEN.fullmatch(token) for token in (first, second))


def test_tokens_are_random(tmp_path):
    """Two vaults give the same value different tokens: a token is no function of its value."""
    worlds = [World(tmp_path / name) for name in ("one", "two")]
    tokens = {world.tokens.exchange([Value("email", "bob@example.org")])[0] for world in worlds}

    assert len(tokens) == 2


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("email", "Ada@Example.org ", "ada@example.org"),
        ("phone", "+44 (20) 7946-0018", "+442079460018"),
        ("iban", "de89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("street", "12  Main\tStreet", "12 main street"),
        ("name", "Zoe\u0308", "zo\u00eb"),
    ],
)
def test_spellings_of_one_value_are_one(kind, one, other):
    """What people write differently is the same value; another value stays another."""
    assert canonical_value(kind, one) == canonical_value(kind, other)
    assert canonical_value(kind, one) != canonical_value(kind, other + "7")


@pytest.mark.parametrize(
    ("kind", "value"), [("Email", "x"), ("", "x"), ("email", ""), ("phone", " - "), ("a", "x" * 1025)]
)
def test_what_cannot_be_kept_is_refused(world, kind, value):
    """Malformed types, empty and endless values leave nothing behind; the same request without them works."""
    with pytest.raises(InputError):
        world.tokens.exchange([Value("email", "ok@example.org"), Value(kind, value)])
    with world.store.transaction():
        assert world.store.values_of("-") == []
    with pytest.raises(InputError):
        world.tokens.exchange([Value("email", "x")] * (MAX_VALUES + 1))

    assert len(world.tokens.exchange([Value("email", "ok@example.org")])) == 1


def test_a_value_belongs_to_its_subject(world):
    """Two persons with one telephone have two tokens for it, each sealed under its own key."""
    ada = world.ada()
    grace = world.tokens.register([Value("phone", "+442079460018"), Value("name", "Grace")], None, CLERK)
    phones = [world.tokens.exchange([Value("phone", "+442079460018", subject)])[0] for subject in (ada, grace, None)]

    assert ada != grace
    assert phones[0] != phones[1]
    assert phones[2] == phones[0]  # nobody said whose: the first who has it
    with pytest.raises(NotPermittedError, match="not registered"):
        world.tokens.exchange([Value("phone", "1", "sub_" + "z" * 26)])


def test_a_person_is_registered_once(world):
    """The same values find the person again; more values may join it."""
    ada = world.ada()

    assert world.ada() == ada
    assert world.tokens.register([Value("card", "4111 1111 1111 1111")], ada, CLERK) == ada
    assert world.tokens.find(Value("card", "4111111111111111"), CLERK) == [ada]
    assert world.tokens.find(Value("card", "5500000000000004"), CLERK) == []
    found = world.tokens.export(ada, CLERK).values
    assert [(value.type, value.value) for value in found] == [
        ("email", "Ada@Example.org"),
        ("phone", "+44 20 7946 0018"),
        ("card", "4111 1111 1111 1111"),
    ]


def test_known_values_come_with_a_version(world):
    """Who has the version gets no values and leaves no record; after a change they come again."""
    ada = world.ada()
    world.tokens.exchange([Value("email", "only-a-token@example.org", ada)])
    first = world.tokens.known(None, CLERK)
    events = len(world.authority.events)

    assert [value.type for value in first.values] == ["email", "phone"]
    assert world.tokens.known(first.version, CLERK).values is None
    assert len(world.authority.events) == events
    world.tokens.register([Value("name", "Ada Lovelace")], ada, CLERK)
    assert len(world.tokens.known(first.version, CLERK).values) == 3


def test_no_access_without_a_record(world):
    """With the authority away nothing is registered, found, exported or known; with it back, it is."""
    ada = world.ada()
    world.authority.failing = True
    for ask in (
        lambda: world.tokens.register([Value("name", "New")], None, CLERK),
        lambda: world.tokens.find(Value("email", "ada@example.org"), CLERK),
        lambda: world.tokens.export(ada, CLERK),
        lambda: world.tokens.known(None, CLERK),
    ):
        with pytest.raises(UnavailableError):
            ask()
    world.authority.failing = False

    assert world.tokens.find(Value("name", "New"), CLERK) == []
    assert world.tokens.find(Value("email", "ada@example.org"), CLERK) == [ada]
    operations = [event.operation for event in world.authority.events]
    assert operations == ["subject.register", "subject.find", "subject.find"]
    assert not any("ada" in str(event).lower().replace(ada, "") for event in world.authority.events)


def test_the_disk_tells_nothing(world, tmp_path):
    """No value, type or token is readable in any file; another passphrase and a changed file open nothing."""
    world.ada()
    (token,) = world.tokens.exchange([Value("email", "bob@example.org")])
    world.store._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # None so short that it may stand in a hundred thousand random bytes by chance.
    plain = (b"Ada@Example.org", b"ada@example.org", b"bob@example.org", b"7946 0018", b"79460018", token.encode())
    for text in (*plain, b"email", b"SQLite format"):
        assert text not in world.disk()
    (tmp_path / "other").write_text("another secret\n")
    (tmp_path / "other").chmod(0o600)
    with pytest.raises(ConfigurationError, match="does not open"):
        folder.open_folder(world.path, f"file:{tmp_path / 'other'}", base=tmp_path)
    wrapped = world.path / folder.DATABASE_KEY
    wrapped.write_bytes(bytes(len(wrapped.read_bytes())))
    with pytest.raises(AlteredError):
        folder.open_folder(world.path, f"file:{world.path / 'unlock'}", base=tmp_path)


def test_a_vault_is_never_overwritten(world):
    """A second `create` changes nothing."""
    before = world.disk()
    with pytest.raises(ConfigurationError, match="exists"):
        folder.create(world.path, created="now")

    assert world.disk() == before
    assert world.path.stat().st_mode & 0o777 == 0o700
