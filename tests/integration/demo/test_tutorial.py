"""The tutorial does what it says: its commands are run, in order, as they stand on the page."""

import os
import re
import subprocess
import sys
from pathlib import Path

_PAGE = Path(__file__).parents[3] / "docs" / "tutorial" / "first-decision.md"


def test_the_first_decision(tmp_path: Path):
    """One call runs, one is denied, one meets silence; the receipt verifies, the forgery does not."""
    text = re.sub(r"<!-- not run -->\n```sh\n.*?```\n", "", _PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    commands = re.findall(r"```sh\n(.*?)```\n", text, flags=re.DOTALL)
    ready = "for i in $(seq 600); do test -S sealgate/sealgate.sock && break; sleep 0.1; done\n"
    script = "set -eum\ntrap 'kill %1 2>/dev/null || true' ERR\n" + commands[0] + ready + "".join(commands[1:])
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=115, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "sent 12 to GB29NWBK60161331926819" in done.stdout
    assert "DENY for `send_money`" in done.stdout
    assert "clerk.too-much" in done.stdout
    assert "SILENCE for `send_money`" in done.stdout
    assert "verdict: verified" in done.stdout
    assert "verdict: altered" in done.stdout
