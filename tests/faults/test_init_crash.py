"""``sealgate init`` makes all or nothing, wherever it dies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealgate.adapters import configuration, installation
from sealgate.adapters.keys.keyring import Keyring
from sealgate.cli.init import create_stores
from sealgate.model.errors import ConfigurationError, SealgateError

DIES = """
import os, sys
from pathlib import Path
from sealgate.adapters import installation
from sealgate.cli.init import create_stores

left = int(sys.argv[2])

def audit(event, arguments):
    global left
    path = arguments[0] if arguments else None
    touches = event in ("open", "os.mkdir", "os.rename", "os.link", "os.remove", "sqlite3.connect", "shutil.rmtree")
    if touches and sys.argv[1] in os.fsdecode(path if isinstance(path, (str, bytes, os.PathLike)) else ""):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)

plan = installation.Plan(origin="log.example/2026h2", authority_id="a1", operator_uid=os.getuid(), created="now")
sys.addaudithook(audit)
installation.create(Path(sys.argv[1]) / "gate", plan, extra=create_stores)
"""


def _plan() -> installation.Plan:
    return installation.Plan(origin="log.example/2026h2", authority_id="a1", operator_uid=os.getuid(), created="now")


def _is_whole(directory: Path) -> bool:
    found = configuration.load(directory / "sealgate.toml", {})
    return len(Keyring.of(found).open().permit) == 32


def test_killed_at_any_step_leaves_nothing_or_everything(tmp_path):
    """Killed before each file operation in turn: the name is absent or whole; the next attempt succeeds."""
    outcomes = []
    for step in range(0, 1000, 17):
        folder = tmp_path / str(step)
        folder.mkdir()
        done = subprocess.run([sys.executable, "-c", DIES, str(folder), str(step)], check=False, timeout=60)
        whole = (folder / "gate").exists()
        outcomes.append((done.returncode, whole))
        if whole:
            assert _is_whole(folder / "gate")
        else:
            installation.create(folder / "gate", _plan(), extra=create_stores)

            assert _is_whole(folder / "gate")
            assert [path.name for path in folder.iterdir()] == ["gate"]
        if done.returncode == 0:
            break

    assert outcomes[0] == (-9, False)
    assert outcomes[-1] == (0, True)
    assert len(outcomes) > 4


def test_nothing_is_overwritten(tmp_path):
    """An authority, a folder with anything in it, a file, a link: all are refused and left as they were."""
    installation.create(tmp_path / "gate", _plan(), extra=create_stores)
    before = {path: path.read_bytes() for path in (tmp_path / "gate").rglob("*") if path.is_file()}
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, message in (
        ("gate", "holds an authority"),
        ("full", "not empty"),
        ("file", "not empty"),
        ("link", "not"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            installation.create(tmp_path / name, _plan(), extra=create_stores)

    assert {path: path.read_bytes() for path in before} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full", "gate", "link"]


def test_an_empty_folder_is_taken(tmp_path):
    """A folder that the package or systemd made beforehand is no obstacle."""
    (tmp_path / "gate").mkdir(mode=0o755)
    installation.create(tmp_path / "gate", _plan(), extra=create_stores)

    assert _is_whole(tmp_path / "gate")
    assert (tmp_path / "gate").stat().st_mode & 0o777 == 0o700


def test_an_attempt_under_way_is_left_alone(tmp_path):
    """Only what a dead attempt left is removed; a living one holds its lock."""
    with installation._staging(tmp_path / "gate") as other:
        installation.create(tmp_path / "gate", _plan(), extra=create_stores)

        assert other.exists()


@pytest.mark.parametrize("failing", [OSError(28, "No space left on device"), ConfigurationError("no")])
def test_a_failure_leaves_nothing(tmp_path, failing):
    """When a part cannot be made, nothing of the whole remains."""

    def extra(data, origin):
        raise failing

    with pytest.raises(SealgateError):
        installation.create(tmp_path / "gate", _plan(), extra=extra)

    assert list(tmp_path.iterdir()) == []
    installation.create(tmp_path / "gate", _plan(), extra=create_stores)


@pytest.mark.parametrize(
    ("origin", "authority_id"),
    [
        ("https://log.example", "a1"),
        ("log example", "a1"),
        ("", "a1"),
        ("a+b", "a1"),
        ("a//b", "a1"),
        ("o", "A 1"),
        ("o", ""),
    ],
)
def test_impossible_names_are_refused(tmp_path, origin, authority_id):
    """What statements and notes cannot carry is refused before anything is made."""
    plan = installation.Plan(origin=origin, authority_id=authority_id, operator_uid=0, created="now")
    with pytest.raises(ConfigurationError, match="cannot be"):
        installation.create(tmp_path / "gate", plan)

    assert list(tmp_path.iterdir()) == []


def test_modes_are_right_under_any_umask(tmp_path):
    """A careless umask does not open anything."""
    before = os.umask(0)
    try:
        installation.create(tmp_path / "gate", _plan(), extra=create_stores)
    finally:
        os.umask(before)
    public = {tmp_path / "gate" / "log"}
    open_to_others = {path for path in (tmp_path / "gate").rglob("*") if path.stat().st_mode & 0o077} - public

    assert open_to_others == set()
    assert (tmp_path / "gate").stat().st_mode & 0o777 == 0o700
