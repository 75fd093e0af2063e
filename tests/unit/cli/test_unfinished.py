"""A directory is finished, or says that it is not and is cleared by the next program that fills it."""

import os
import signal
import subprocess
import sys

import pytest

from sealgate.cli import _unfinished
from sealgate.cli._unfinished import MARKER, unfinished
from sealgate.model.errors import ConfigurationError

PATTERNS = ("body", "checkpoint*")
WRITER = """
import sys
from pathlib import Path
from sealgate.cli._unfinished import unfinished
folder = Path(sys.argv[1])
with unfinished(folder, ("body", "checkpoint*"), mode=0o700):
    (folder / "body").mkdir()
    (folder / "body" / "000").write_bytes(b"a secret")
    (folder / "checkpoint.new").write_bytes(b"half")
    print("half", flush=True)
    sys.stdin.read()
"""


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def _fill(folder):
    with unfinished(folder, PATTERNS, mode=0o700):
        assert _names(folder) == [MARKER]
        (folder / "body").mkdir()
        (folder / "body" / "000").write_bytes(b"whole")


def _fail(folder):
    with unfinished(folder, PATTERNS, mode=0o700):
        assert _names(folder) == [MARKER]
        (folder / "checkpoint.new").touch()
        raise ZeroDivisionError


@pytest.fixture(name="writer")
def _writer(tmp_path):
    """A program that has filled half of the directory."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"half\n"
        yield writer
        writer.kill()


def test_it_is_marked_until_it_is_finished(tmp_path):
    """The mark goes last; the directory is made with the mode that was asked for, one that was there keeps its own."""
    (tmp_path / "own").mkdir(mode=0o750)
    for name, mode in (("out", 0o700), ("own", 0o750)):
        _fill(tmp_path / name)
        assert _names(tmp_path / name) == ["body"]
        assert (tmp_path / name).stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("own", [True, False])
def test_a_failure_leaves_nothing(tmp_path, own):
    """Only a directory that was there before stays."""
    if own:
        (tmp_path / "out").mkdir()
    with pytest.raises(ZeroDivisionError):
        _fail(tmp_path / "out")
    assert _names(tmp_path) == (["out"] if own else [])
    assert not own or _names(tmp_path / "out") == []


def test_what_a_killed_program_left_is_cleared_by_the_next(tmp_path, writer):
    """It says that it is not finished; then nothing of it is left."""
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait(60)
    assert _names(tmp_path / "out") == [MARKER, "body", "checkpoint.new"]
    assert "same command again" in (tmp_path / "out" / MARKER).read_text("utf-8")

    with pytest.raises(ZeroDivisionError):
        _fail(tmp_path / "out")
    assert _names(tmp_path / "out") == []
    _fill(tmp_path / "out")
    assert _names(tmp_path / "out") == ["body"]


def test_another_program_at_work_is_left_alone(tmp_path, writer):
    """Its mark is locked: nothing is cleared, and it ends well."""
    with pytest.raises(ConfigurationError, match="another program"):
        _fill(tmp_path / "out")
    writer.communicate(b"", 60)
    assert writer.returncode == 0
    assert _names(tmp_path / "out") == ["body", "checkpoint.new"]
    with pytest.raises(ConfigurationError, match="not empty"):
        _fill(tmp_path / "out")
    assert _names(tmp_path / "out") == ["body", "checkpoint.new"]


def test_a_program_that_finishes_between_two_steps_is_left_alone(tmp_path, monkeypatch):
    """Its mark was found, and is gone when it is locked."""
    out = tmp_path / "out"
    out.mkdir()
    (out / MARKER).touch()
    real = _unfinished.fcntl.flock

    def finish_first(marker, how):
        (out / MARKER).unlink()
        (out / "body").mkdir()
        real(marker, how)

    monkeypatch.setattr(_unfinished.fcntl, "flock", finish_first)
    with pytest.raises(ConfigurationError, match="another program"):
        _fill(out)
    assert _names(out) == ["body"]


def test_what_is_somebody_elses_stays(tmp_path):
    """A directory with anything else in it is not filled; with our mark in it only what is ours goes."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "letter").touch()
    (out / "body").mkdir()
    with pytest.raises(ConfigurationError, match="not empty"):
        _fill(out)
    assert _names(out) == ["body", "letter"]
    (out / MARKER).touch()
    with pytest.raises(ConfigurationError, match="not empty"):
        _fill(out)
    assert _names(out) == ["letter"]
