"""The command line given what it cannot use: one line that says so, exit status 1, no trace, nothing half done."""

import json
import subprocess

import pytest

from sealgate.adapters.timestamps.rfc3161 import read_roots
from sealgate.demo.authority import Authority, program
from sealgate.model.errors import ConfigurationError


@pytest.fixture(name="authority", scope="module")
def _authority(tmp_path_factory):
    """A running one."""
    with Authority(tmp_path_factory.mktemp("odd") / "a") as made:
        yield made


def _run(authority, *arguments, cwd=None):
    """Run a command; return its status, standard output and the one line that it wrote about an error."""
    command = [program("sealgate"), *arguments, "--config", authority.configuration]
    done = subprocess.run(command, capture_output=True, check=False, cwd=cwd)
    error = done.stderr.decode()
    assert "Traceback" not in error
    return done.returncode, done.stdout.decode(), error


def _decision(authority):
    question = {
        "subject": {"type": "agent", "id": "a"},
        "action": {"name": "x"},
        "resource": {"type": "tool_server", "id": "s"},
        "context": {"input": {}},
    }
    return json.loads(authority.post("/access/v1/evaluation", question)[1])["context"]["record_id"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("agents", "resume", b"\xff\xfe"),
        ("agents", "pause", b"a\xff", "--reason", "x"),
        ("search", b"--agent", b"\xff"),
    ],
)
def test_an_argument_that_is_no_text(authority, arguments):
    """It is named as such; the same command with text does its work."""
    status, out, error = _run(authority, *arguments)

    assert (status, out) == (1, "")
    assert error.startswith("sealgate: an argument is not UTF-8 text")
    assert _run(authority, "agents", "pause", "a\u00e9", "--reason", "x")[0] == 0


def test_an_output_that_is_full(authority):
    """Said, and no success; into a file with room it is one."""
    command = [program("sealgate"), "keys", "list", "--json", "--config", authority.configuration]
    with open("/dev/full", "wb") as full:  # noqa: PTH123  # a device
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (1, "sealgate: the output cannot be used: No space left on device\n")
    assert json.loads(_run(authority, "keys", "list", "--json")[1])["statement_keys"]


def test_a_receipt_that_cannot_be_written(authority, tmp_path):
    """A folder that is not there, a file that is: said; a waiting time that is no number is none."""
    record = _decision(authority)

    status, _, error = _run(authority, "receipt", record, "--out", tmp_path / "none" / "r")
    assert (status, "cannot be written: No such file or directory" in error) == (1, True)
    assert _run(authority, "receipt", record, "--out", tmp_path / "r", "--wait", "nan")[0] == 0
    status, _, error = _run(authority, "receipt", record, "--out", tmp_path / "r", "--wait", "nan")
    assert (status, "exists" in error) == (1, True)


def test_a_change_of_keys_that_the_authority_refuses(authority):
    """In its words, not in its JSON."""
    status, _, error = _run(authority, "keys", "apply")

    assert status == 1
    assert error.splitlines()[0] == "sealgate: the authority refused: no change of keys is prepared"
    assert _run(authority, "keys", "rotate")[0] == 0
    assert _run(authority, "keys", "apply")[0] == 0


def test_the_doctor_knows_under_which_name_the_log_was_made(authority):
    """Another `authority.id` starts nothing, so it is a failure; its own is none."""

    def first(*options):
        told = json.loads(_run(authority, "doctor", "--json", *options)[1])
        return next(row for row in told["checks"] if row["check"] == "first record")

    other = first("--set", "authority.id=other")

    assert (other["status"], "and the log was made as" in other["detail"]) == ("failed", True)
    assert first()["status"] == "ok"


@pytest.mark.parametrize(
    ("reference", "told"), [("command:false", "ended with status 1"), ("command:/nowhere", "cannot be run")]
)
def test_a_passphrase_command_that_fails(authority, reference, told):
    """How it ended is said."""
    status, _, error = _run(authority, "keys", "rotate", "--root-passphrase", reference)

    assert (status, told in error) == (1, True)


def test_timestamp_roots_that_are_none(authority, tmp_path):
    """Missing or no certificates: the start says so, and what the setting is for."""
    for content, told in (
        (None, "cannot be read"),
        (b"root:x:0:0\n", "no certificates"),
        (b"\xd0\x00", "no certificates"),
    ):
        path = tmp_path / "roots.pem"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=told):
            read_roots(path)
    settings = ("--set", "timestamps.url=http://127.0.0.1:9/", "--set", f"timestamps.roots={tmp_path}/roots.pem")
    authority.stop()
    status, _, error = _run(authority, "serve", "--alone", *settings)
    authority.start()

    assert (status, "holds no certificates in PEM form" in error) == (1, True)
