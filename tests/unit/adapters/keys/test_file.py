"""Key files: what opens, what is refused, who may touch them."""

import os
from pathlib import Path

import pytest

from sealgate.adapters.keys import file
from sealgate.adapters.keys.envelope import COST_OF_RANDOM_PASSPHRASE, Cost, Purpose
from sealgate.encoding import canonical, statement
from sealgate.model.errors import AlteredError, ConfigurationError

CREATED = "2026-11-21T00:00:00.000Z"
PASSPHRASE = b"correct horse"


@pytest.fixture(name="key_path")
def _key_path(tmp_path: Path) -> Path:
    """A statement key file."""
    path = tmp_path / "statement.key"
    file.generate(path, Purpose.STATEMENT, PASSPHRASE, created=CREATED, cost=COST_OF_RANDOM_PASSPHRASE)
    return path


def test_the_same_key_opens_again(key_path):
    """A key file gives the key it was made with, and its header tells the public key."""
    signer = file.open_signer(key_path, PASSPHRASE, Purpose.STATEMENT)

    assert file.header(key_path).public_key == signer.public_key
    assert signer.key_id == statement.key_id(signer.public_key)


def test_the_secret_is_not_in_the_file(key_path):
    """The file is private and two files of one passphrase share no salt."""
    other = key_path.with_name("other.key")
    file.generate(other, Purpose.STATEMENT, PASSPHRASE, created=CREATED, cost=COST_OF_RANDOM_PASSPHRASE)

    assert key_path.stat().st_mode & 0o777 == 0o600
    assert canonical.decode(key_path.read_bytes()[:-1])["kdf"] != canonical.decode(other.read_bytes()[:-1])["kdf"]


def test_a_wrong_passphrase_is_refused(key_path):
    """One wrong byte does not open it."""
    with pytest.raises(ConfigurationError, match="does not open"):
        file.open_signer(key_path, b"correct horsf", Purpose.STATEMENT)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_open_to_others_is_refused(key_path, mode):
    """Any bit for group or others is too much; the same file with 0400 opens."""
    key_path.chmod(mode)
    with pytest.raises(ConfigurationError, match="others can reach it"):
        file.open_signer(key_path, PASSPHRASE, Purpose.STATEMENT)
    key_path.chmod(0o400)
    file.open_signer(key_path, PASSPHRASE, Purpose.STATEMENT)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_foreign_file_is_refused(key_path):
    """A key file of another user is not ours to trust."""
    os.chown(key_path, 12345, -1)
    with pytest.raises(ConfigurationError, match="belongs to user 12345"):
        file.open_signer(key_path, PASSPHRASE, Purpose.STATEMENT)


def test_another_purpose_is_refused(key_path):
    """A statement key does not sign checkpoints."""
    with pytest.raises(ConfigurationError, match="is a statement key"):
        file.open_signer(key_path, PASSPHRASE, Purpose.LOG)


def _change(path: Path, **members: object) -> None:
    value = {**canonical.decode(path.read_bytes()[:-1]), **members}
    path.write_bytes(canonical.encode(value) + b"\n")


@pytest.mark.parametrize(
    "members",
    [
        {"purpose": "log"},
        {"created": "2026-11-22T00:00:00.000Z"},
        {"public_key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
    ],
)
def test_a_changed_header_does_not_open(key_path, members):
    """Everything that can be read without the passphrase is authenticated with it."""
    _change(key_path, **members)
    with pytest.raises(ConfigurationError, match="does not open"):
        file.open_signer(key_path, PASSPHRASE, Purpose(members.get("purpose", "statement")))


@pytest.mark.parametrize(
    "members",
    [
        {"more": 1},
        {"format": "sealgate-key/v2"},
        {"cipher": "aes-128-gcm"},
        {"nonce": "AA=="},
        {"ciphertext": "?"},
        {"purpose": "everything"},
        {"kdf": {"name": "scrypt", "n": 2, "p": 1, "r": 8, "salt": "AAAAAAAAAAAAAAAAAAAAAA=="}},
        {"kdf": {"name": "scrypt", "n": 1 << 30, "p": 1, "r": 8, "salt": "AAAAAAAAAAAAAAAAAAAAAA=="}},
        {"kdf": {"name": "none"}},
    ],
)
def test_anything_but_the_format_is_refused(key_path, members):
    """Unknown members, other algorithms, prices out of bounds: refused before any work is done."""
    _change(key_path, **members)
    with pytest.raises(ConfigurationError):
        file.open_signer(key_path, PASSPHRASE, Purpose.STATEMENT)


@pytest.mark.parametrize("data", [b"", b"\n", b"{}", b"[]", b"\xff", b'{"format":"sealgate-key/v1"} '])
def test_garbage_is_our_error(key_path, data):
    """Whatever is in the file, the answer is our error."""
    key_path.write_bytes(data)
    with pytest.raises(ConfigurationError):
        file.open_signer(key_path, PASSPHRASE, Purpose.STATEMENT)


def test_a_key_file_is_never_overwritten(key_path):
    """Generating over an existing file fails and leaves it alone."""
    before = key_path.read_bytes()
    with pytest.raises(ConfigurationError, match="exists"):
        file.generate(key_path, Purpose.STATEMENT, PASSPHRASE, created=CREATED, cost=COST_OF_RANDOM_PASSPHRASE)

    assert key_path.read_bytes() == before
    assert [entry.name for entry in key_path.parent.iterdir()] == ["statement.key"]


def test_wrapping_knows_its_own(tmp_path):
    """A wrapped key opens under its own key-encryption key and under no other."""
    keys = []
    for name in ("one", "two"):
        file.generate(tmp_path / name, Purpose.WRAPPING, PASSPHRASE, created=CREATED, cost=COST_OF_RANDOM_PASSPHRASE)
        keys.append(file.open_wrapping_key(tmp_path / name, PASSPHRASE))
    secret = bytes(range(32))
    wrapped = keys[0].wrap(secret)

    assert keys[0].unwrap(wrapped) == secret
    with pytest.raises(AlteredError):
        keys[1].unwrap(wrapped)
    with pytest.raises(AlteredError):
        keys[0].unwrap(wrapped[:-1])


def test_costs_are_bounded():
    """A price that protects nobody, or stops the machine, is refused."""
    Cost(1 << 14).check()
    for cost in (Cost(1 << 13), Cost(1 << 21), Cost((1 << 15) + 1), Cost(1 << 15, r=9), Cost(1 << 15, p=0)):
        with pytest.raises(ConfigurationError):
            cost.check()
