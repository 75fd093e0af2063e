"""Secrets by reference: where they may be, and what never shows."""

import pytest

from sealgate.adapters.keys import passphrase
from sealgate.model.errors import ConfigurationError, UnavailableError


@pytest.fixture(name="secret_file")
def _secret_file(tmp_path):
    """A private file with a secret."""
    path = tmp_path / "secret"
    path.write_text("s3cret \n")
    path.chmod(0o600)
    return path


def test_a_file_gives_its_secret(secret_file):
    """Only one newline at the end is cut; a relative path starts at the given folder."""
    assert passphrase.read(f"file:{secret_file}") == b"s3cret "
    assert passphrase.read("file:secret", base=secret_file.parent) == b"s3cret "
    secret_file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others can reach it"):
        passphrase.read(f"file:{secret_file}")


def test_a_credential_is_looked_up_where_systemd_put_it(tmp_path, monkeypatch):
    """By name in the credentials directory, and nowhere else."""
    (tmp_path / "unlock").write_text("s3cret\n")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigurationError, match="needs systemd"):
        passphrase.read("credential:unlock")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    assert passphrase.read("credential:unlock") == b"s3cret"
    for name in ("../unlock", "..", "none"):
        with pytest.raises(ConfigurationError):
            passphrase.read(f"credential:{name}")


def test_a_command_gives_its_output():
    """The program is run without a shell; what it printed is never repeated in an error."""
    assert passphrase.read("command:printf 's3cret $HOME'") == b"s3cret $HOME"
    with pytest.raises(UnavailableError) as caught:
        passphrase.read("command:sh -c 'echo s3cret; exit 3'")
    assert "s3cret" not in str(caught.value)
    for command in ("/nowhere/program", "' unbalanced", " "):
        with pytest.raises(ConfigurationError):
            passphrase.read(f"command:{command}")


@pytest.mark.parametrize("reference", ["s3cret-in-place", "", "file:", "env:PASSWORD", ":x"])
def test_a_secret_in_place_is_refused_and_not_shown_whole(reference):
    """A passphrase written into the configuration is refused."""
    with pytest.raises(ConfigurationError):
        passphrase.read(reference)


def test_an_empty_secret_is_refused(secret_file):
    """An empty file protects nothing."""
    secret_file.write_text("\n")
    with pytest.raises(ConfigurationError, match="empty"):
        passphrase.read(f"file:{secret_file}")
