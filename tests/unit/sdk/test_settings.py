"""Where the client looks for the authority when nobody says."""

from pathlib import Path

from sealgate.adapters.configuration import loading
from sealgate.sdk.settings import SYSTEM_SOCKET, default_socket, resolve

UNIT = Path(__file__).resolve().parents[3] / "packaging" / "sealgate.service"


def test_the_users_own_authority_comes_first(tmp_path):
    """After `sealgate init ~/sealgate` client and command line mean the same socket; before, the system's."""
    (tmp_path / "sealgate").mkdir()
    environment = {"HOME": str(tmp_path)}
    assert default_socket(environment) == SYSTEM_SOCKET

    file = tmp_path / "sealgate" / "sealgate.toml"
    file.write_text('[authority]\norigin = "o.example"\nid = "a"\n')
    found = loading.load(loading.find(None, environment), environment)

    assert default_socket(environment) == found.server.socket == tmp_path / "sealgate" / "sealgate.sock"
    assert resolve({**environment, "SEALGATE_SOCKET": "/x.sock", "SEALGATE_AGENT": "a"}).socket_path == Path("/x.sock")


def test_without_a_home_it_is_the_systems():
    """A service without a home folder asks the system's authority, which listens where its unit has it made."""
    assert default_socket({}) == SYSTEM_SOCKET
    assert f" server.socket={SYSTEM_SOCKET} " in UNIT.read_text("utf-8")


def test_the_working_directory_is_not_searched(tmp_path, monkeypatch):
    """Whoever may write in the working directory cannot answer in the authority's place."""
    (tmp_path / "sealgate").mkdir()
    (tmp_path / "sealgate" / "sealgate.toml").write_text("")
    monkeypatch.chdir(tmp_path)

    assert default_socket({"HOME": str(tmp_path / "home")}) == SYSTEM_SOCKET
