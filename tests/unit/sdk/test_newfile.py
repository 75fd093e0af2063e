"""A new file is there whole or not at all, on file systems of all kinds."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sealgate.model.errors import InputError
from sealgate.sdk import newfile
from sealgate.sdk.newfile import new_file

WRITER = """
import sys
from pathlib import Path
from sealgate.sdk.newfile import new_file
with new_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("half", flush=True)
    sys.stdin.read()
    file.write(b" whole")
"""


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def _write(out, meanwhile):
    with new_file(out) as file:
        file.write(b"ours")
        meanwhile()


@pytest.fixture(name="no_nameless")
def _no_nameless(monkeypatch):
    """A file system that gives no file without a name."""
    real = os.open

    def refuse(path, flags, *rest, **named):
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return real(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", refuse)


@pytest.fixture(name="one_name")
def _one_name(monkeypatch, no_nameless):
    """A file system, as FAT, whose files have one name each."""
    del no_nameless

    def refuse(*_arguments, **_named):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


@pytest.fixture(name="place", params=["usual", "no_nameless", "one_name", "no_proc"])
def _place(request, tmp_path, monkeypatch):
    """A destination, and what lies beside it while it is written."""
    if request.param == "no_proc":
        monkeypatch.setattr(newfile, "_OPEN_FILES", tmp_path / "nowhere")
    elif request.param != "usual":
        request.getfixturevalue(request.param)
    return tmp_path / "out", [] if request.param == "usual" else ["out.part"]


def test_it_has_its_name_when_it_is_whole(place):
    """Before that there is none; its mode is that of any new file."""
    out, meanwhile = place
    with new_file(out) as file:
        file.write(b"half")
        file.flush()
        assert _names(out.parent) == meanwhile
        file.write(b" whole")
    assert _names(out.parent) == ["out"]
    assert out.read_bytes() == b"half whole"
    other = out.with_name("other")
    other.touch()
    assert out.stat().st_mode == other.stat().st_mode


def test_a_failure_leaves_nothing(place):
    """And is told."""
    out, _ = place
    with pytest.raises(ZeroDivisionError):
        _write(out, lambda: 1 // 0)
    assert _names(out.parent) == []


def test_what_is_there_is_never_replaced(place):
    """Neither a file that was there nor one that came meanwhile, nor a link that leads nowhere."""
    out, _ = place
    out.symlink_to(out.with_name("nowhere"))
    with pytest.raises(InputError, match="exists"), new_file(out):
        pass
    out.unlink()
    with pytest.raises(InputError, match="exists"):
        _write(out, lambda: out.write_bytes(b"theirs"))
    assert _names(out.parent) == ["out"]
    assert out.read_bytes() == b"theirs"


def test_a_part_that_is_left_is_named(tmp_path, no_nameless):
    """It may be another program's, so it stays."""
    del no_nameless
    (tmp_path / "out.part").write_bytes(b"half")
    with pytest.raises(InputError, match=r"out\.part` exists") as refused, new_file(tmp_path / "out"):
        pass
    assert "remove it" in refused.value.hint
    assert (tmp_path / "out.part").read_bytes() == b"half"


@pytest.mark.parametrize("nameless", [True, False])
def test_killed_while_it_is_written(tmp_path, nameless):
    """Nothing has its name; where no file goes without one, what is left says that it is a part."""
    preface = "" if nameless else "from sealgate.sdk import newfile\nnewfile._nameless = lambda _folder: None\n"
    command = [sys.executable, "-c", preface + WRITER, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"half\n"
        os.kill(writer.pid, signal.SIGKILL)
    assert _names(tmp_path) == ([] if nameless else ["out.part"])

    subprocess.run([*command[:-1], str(tmp_path / "next")], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    assert Path(tmp_path / "next").read_bytes() == b"half whole"  # the same program when nobody kills it
