"""The page on witnesses does what it says: its commands are run, in order, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.ingest_world import free_port

_PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "witness-a-log.md"
_END = "kill %1 %2 2>/dev/null; wait"


@pytest.fixture(name="environment", scope="module")
def _environment():
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def test_a_log_is_witnessed_and_whoever_asks_for_more_is_told(tmp_path: Path, environment):
    """The exported log verifies with the witness's word; with a second witness that never saw it, it does not."""
    init, named, trusting, verified = re.findall(r"```sh\n(.*?)```\n", _PAGE.read_text("utf-8"), flags=re.DOTALL)
    until = "for i in $(seq 400); do grep -qs {} {} && break; sleep 0.1; done\n"
    listening, ready = until.format("running", "w1.log"), until.format("witness.example/w1", "sealgate/log/checkpoint")
    other = (
        "sealgate witness init w2 --name witness.example/w2 > w2.vkey\n"
        'sealgate-verify trust mine.json --witness "$(cat w2.vkey)" --quorum 2 --out two.json\n'
        "sealgate-verify log exported --trust two.json || echo exit $?\n"
    )
    script = (
        f"set -eum\ntrap '{_END}' EXIT\nsealgate init sealgate --origin witnessed.example/1\n"
        + init + listening + named + ready + trusting + verified + other
    )  # fmt: skip
    script = script.replace("17390", str(free_port()))

    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 witness cosignatures, 1 required" in done.stdout
    assert "verdict: verified: every step passed" in done.stdout
    assert "verdict: not proven" in done.stdout
    assert "exit 11" in done.stdout
