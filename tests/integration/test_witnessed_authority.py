"""An authority and a witness, as operators run them: checkpoints get cosigned, a restored log does not start."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import time

import pytest

from sealgate.proofs import notes
from sealgate.proofs.quorum import verify_checkpoint

ORIGIN = "ledger.example/acme"
CLI = [sys.executable, "-c", "from sealgate.cli import main; main()"]


@contextlib.contextmanager
def _running(*arguments, until):
    process = subprocess.Popen([*CLI, *arguments], stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if found := re.search(until, line):
                yield process, found[0]
                break
        else:
            pytest.fail(f"did not start: {arguments}")
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _wait(path, done):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.is_file() and (result := done(path.read_bytes())):
            return result
        time.sleep(0.1)
    pytest.fail(f"nothing at {path.name}")


def test_checkpoints_are_witnessed_and_a_restored_log_does_not_start(tmp_path):
    """The log's checkpoint gets its cosignature; put back to an older copy, the authority refuses to start."""
    data, folder = tmp_path / "data", str(tmp_path / "w")
    made = subprocess.run([*CLI, "witness", "init", folder, "--name", "w.example"], capture_output=True, check=True)
    witness = notes.parse_vkey(made.stdout.decode().strip())
    subprocess.run([*CLI, "init", str(data), "--origin", ORIGIN], capture_output=True, check=True)
    log = notes.parse_vkey(json.loads((data / "trust.json").read_bytes())["log"])
    configuration = next(data.glob("*.toml"))
    serving = ("witness", "serve", folder, "--log", log.encode(), "--port", "0")
    with _running(*serving, until=r"http://\S+") as (_, url):
        text = configuration.read_text()
        configuration.write_text(f'{text}\n[[witness]]\nurl = "{url}"\nvkey = "{witness.encode()}"\n')
        arguments = ("serve", "--config", str(configuration))

        shutil.copytree(data, tmp_path / "backup")

        with _running(*arguments, until="."):
            note = _wait(data / "log" / "checkpoint", lambda note: note if b"w.example" in note else None)
        shutil.rmtree(data)
        shutil.copytree(tmp_path / "backup", data)
        restored = subprocess.run([*CLI, *arguments], capture_output=True, check=False, timeout=60)

    assert verify_checkpoint(note, log=log, witnesses=[witness], quorum=1).size >= 1
    assert restored.returncode == 1
    assert b"rolled back" in restored.stderr
