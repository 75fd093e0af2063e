"""``sealgate-verify`` as people and scripts call it: verdict lines, exit codes, JSON, refusals."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from bench.logmaker import Keys, LogMaker, make_log
from sealgate.proofs import notes, trust
from sealgate.verifier.__main__ import main


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> LogMaker:
    log = make_log(300, keys=Keys("command", witnesses=1), quorum=1)
    log.write(tmp_path / "log")
    (tmp_path / "trust.json").write_bytes(log.trust())
    (tmp_path / "r.tlog-proof").write_bytes(log.proof(5).encode())
    (tmp_path / "r.statement").write_bytes(log.sealed[5][0])
    (tmp_path / "r.body.json").write_bytes(log.sealed[5][1])
    return log


def _main(folder: Path, *words: str) -> int:
    os.chdir(folder)
    return main(list(words))


@pytest.fixture(autouse=True)
def _stay_here() -> object:
    here = Path.cwd()
    yield
    os.chdir(here)


def test_a_trust_file_names_more(log: LogMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is written is a trust file, with the key; nothing is overwritten, and what cannot hold is not written."""
    vkey = notes.VerifierKey("w.example", notes.COSIGNATURE_ED25519, Keys("w2").log.verify_key.encode()).encode()
    more = ["trust", "trust.json", "--witness", vkey, "--quorum"]

    assert _main(tmp_path, *more, "2", "--out", "mine.json") == 0
    mine = trust.parse((tmp_path / "mine.json").read_bytes())
    assert ([key.encode() for key in mine.witnesses][1:], mine.quorum) == ([vkey], 2)
    assert _main(tmp_path, "receipt", "r.tlog-proof", "--trust", "mine.json") == 11
    capsys.readouterr()
    for words, told in (
        ((*more, "2", "--out", "mine.json"), "`mine.json`: File exists"),
        ((*more, "3", "--out", "two.json"), "asks for 3 of 2 witnesses"),
        (("trust", "mine.json", "--witness", vkey, "--out", "two.json"), "names one key twice"),
        (("trust", "trust.json", "--timestamp-root", "r.statement", "--out", "two.json"), "is not a PEM file"),
        (("trust", "absent", "--out", "two.json"), "`absent`: No such file"),
    ):
        assert _main(tmp_path, *words) == 2
        assert told in capsys.readouterr().err
    assert not (tmp_path / "two.json").exists()


@pytest.mark.parametrize("step", ["fsync", "link"])
def test_a_trust_file_is_whole_or_not_there(
    log: LogMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    """A disk that fails at a step leaves nothing behind; the same command works once it is well."""
    words = ["trust", "trust.json", "--out", "mine.json"]
    before = sorted(path.name for path in tmp_path.iterdir())

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device", "mine.json")

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fails)
        assert _main(tmp_path, *words) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert _main(tmp_path, *words) == 0
    assert (tmp_path / "mine.json").read_bytes() == (tmp_path / "trust.json").read_bytes()


def test_a_reader_that_goes_away_is_no_error(log: LogMaker, tmp_path: Path) -> None:
    """As other programs in a pipe: no traceback, and the status says by what it ended."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "sealgate.verifier", "receipt", "r.tlog-proof", "--trust", "trust.json"]
    done = subprocess.run(command, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(write)

    assert (done.returncode, done.stderr) == (128 + 13, b"")


@pytest.mark.parametrize(
    ("words", "code", "last"),
    [
        ("receipt r.tlog-proof --trust trust.json", 0, "verdict: verified: every step passed"),
        ("receipt r.tlog-proof --trust trust.json --body r.body.json", 0, "verdict: verified: every step passed"),
        ("body r.body.json --receipt r.tlog-proof --trust trust.json", 0, "verdict: verified: every step passed"),
        ("body trust.json --receipt r.tlog-proof --trust trust.json", 10, "verdict: altered: body is not"),
        ("receipt r.statement --trust trust.json", 11, "verdict: not proven: signed, but inclusion"),
        ("receipt r.tlog-proof", 12, "verdict: self-consistent only: no trust file"),
        ("receipt r.body.json --trust trust.json", 2, "verdict: unreadable: the file is not a receipt"),
        ("receipt absent --trust trust.json", 2, "verdict: unreadable: `absent` cannot be read"),
        ("receipt r.tlog-proof --trust r.body.json", 2, "verdict: unreadable: trust file"),
        ("log log --trust trust.json --checkpoint log/checkpoint", 0, "verdict: verified: every step passed"),
        ("log log --trust trust.json --from 10 --to 20", 0, "verdict: verified: every step passed"),
        ("log log --trust trust.json --no-signatures", 11, "verdict: not proven: 300 statements"),
        ("log . --trust trust.json", 2, "verdict: unreadable: the folder has no checkpoint"),
    ],
)
def test_the_verdict_line_and_the_exit_code(
    log: LogMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, last: str
) -> None:
    """Each verdict has its words and its code; the steps above it are numbered."""
    returned = _main(tmp_path, *words.split())
    lines = capsys.readouterr().out.splitlines()

    assert returned == code
    assert lines[-1].startswith(last)
    assert lines[0].startswith(" 1. form")


def test_a_flipped_byte_is_found_and_named(log: LogMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line before the verdict names the first bad record."""
    data = bytearray(log.files["stmt/000"])
    data[5000] ^= 0x20
    (tmp_path / "log/stmt/000").write_bytes(bytes(data))
    code = _main(tmp_path, "log", "log", "--trust", "trust.json")
    lines = capsys.readouterr().out.splitlines()

    assert code == 10
    assert lines[-2].startswith("first bad record: ")
    assert "is not the one that was logged" in lines[-1]


def test_json_is_one_object_on_one_line(log: LogMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Machines read verdict, exit code, reason, steps."""
    _main(tmp_path, "log", "log", "--trust", "trust.json", "--json")
    out = capsys.readouterr().out
    answer = json.loads(out)

    assert out.count("\n") == 1
    assert (answer["verdict"], answer["exit_code"], answer["first_bad_index"], answer["size"]) == (
        "verified", 0, None, 300,
    )  # fmt: skip
    assert [step["number"] for step in answer["steps"]] == list(range(1, 11))


def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command is refused; so is an abbreviated option."""
    for words in (["nonsense"], [], ["receipt", "x", "--tru", "y"]):
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 2
    assert "usage: sealgate-verify" in capsys.readouterr().err


def test_text_from_evidence_cannot_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters in names are written out."""
    log = make_log(3, keys=Keys("escape"))
    note = log.checkpoint().replace(b"log.example", b"log.\xc2\x9b31mevil")
    (tmp_path / "r").write_bytes(log.proof(1, note).encode())
    (tmp_path / "t").write_bytes(log.trust())
    _main(tmp_path, "receipt", "r", "--trust", "t")

    assert "\\x9b31mevil" in capsys.readouterr().out


@pytest.mark.slow
def test_progress_is_shown_on_a_terminal_only(log: LogMaker, tmp_path: Path) -> None:
    """On a terminal the progress line comes and goes; into a pipe nothing but the report is written."""
    command = [sys.executable, "-m", "sealgate.verifier", "log", "log", "--trust", "trust.json"]
    quiet = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=60)
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs) as running:
        running.wait(timeout=60)
    os.close(theirs)
    shown = os.read(ours, 4096)
    os.close(ours)

    assert quiet.stderr == b""
    assert b"\r" in shown
