"""Who may open which key: the authority all of them, a reader only the key-encryption key."""

from pathlib import Path

import pytest

from sealgate.adapters import installation, protected_files
from sealgate.adapters.configuration.sections.keys import Keys
from sealgate.adapters.keys import file, keyring
from sealgate.adapters.keys.envelope import COST_OF_RANDOM_PASSPHRASE, Purpose
from sealgate.adapters.keys.keyring import Keyring
from sealgate.model.errors import ConfigurationError

PLAN = installation.Plan(origin="log.example/1", authority_id="a", operator_uid=0, created="2026-11-21T00:00:00Z")


def _ring(data: Path, **settings: str) -> Keyring:
    return Keyring(Keys(directory=data / "keys", **settings), data)


def test_a_reader_opens_the_wrapping_key_and_no_signing_key(tmp_path):
    """With `reading-unlock` and without `unlock` the wrapping key opens; signing keys do not, with either secret."""
    data = tmp_path / "data"
    installation.create(data, PLAN)
    wrapped = _ring(data).open().wrapping.wrap(bytes(32))
    (data / "keys" / "unlock").unlink()
    ring = _ring(data)

    assert ring.open_reading().unwrap(wrapped) == bytes(32)
    with pytest.raises(ConfigurationError):
        ring.open()
    secret = protected_files.read(data / "keys" / keyring.READING_UNLOCK).removesuffix(b"\n")
    for name, purpose in ((keyring.LOG, Purpose.LOG), (keyring.RECEIPT, Purpose.RECEIPT)):
        with pytest.raises(ConfigurationError, match="does not open"):
            file.open_signer(data / "keys" / name, secret, purpose)
    with pytest.raises(ConfigurationError, match="does not open"):
        file.open_permit_key(data / "keys" / keyring.PERMIT, secret)


def test_one_passphrase_serves_where_the_operator_keeps_it(tmp_path):
    """Given a passphrase, `init` writes none beside the keys: all files open with it, as in older installations."""
    data = tmp_path / "data"
    plan = installation.Plan(
        origin="log.example/1", authority_id="a", operator_uid=0, created="now", passphrase=b"pw", root_passphrase=b"r"
    )
    installation.create(data, plan)
    protected_files.create(tmp_path / "secret", b"pw\n")
    ring = _ring(data, passphrase=f"file:{tmp_path / 'secret'}")

    assert not (data / "keys" / keyring.READING_UNLOCK).exists()
    assert ring.open_reading().unwrap(ring.open().wrapping.wrap(bytes(32))) == bytes(32)


def test_the_reader_s_passphrase_may_be_anywhere(tmp_path):
    """`keys.reading_passphrase` names it, relative to the data directory, before any file beside the keys."""
    (tmp_path / "keys").mkdir()
    created = {"created": "now", "cost": COST_OF_RANDOM_PASSPHRASE}
    file.generate(tmp_path / "keys" / keyring.WRAPPING, Purpose.WRAPPING, b"mine", **created)
    protected_files.create(tmp_path / "mine", b"mine\n")
    protected_files.create(tmp_path / "keys" / keyring.READING_UNLOCK, b"another\n")

    assert _ring(tmp_path, reading_passphrase="file:mine").open_reading()
    with pytest.raises(ConfigurationError, match="does not open"):
        _ring(tmp_path).open_reading()
