"""The systemd unit is well formed, hardened, and sets only what the configuration knows."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sealgate.adapters import configuration

UNIT = Path(__file__).resolve().parents[3] / "packaging" / "sealgate.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_it(tmp_path):
    """``systemd-analyze verify`` has nothing to say, once the program it starts exists."""
    copy = tmp_path / "sealgate.service"
    copy.write_text(UNIT.read_text("utf-8").replace("/usr/bin/sealgate", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False, timeout=60)
    about_us = [line for line in done.stderr.splitlines() if "sealgate.service" in line]

    assert about_us == []
    copy.write_text("[Service]\nExecStart=/nowhere\nNonsense=1\n")  # positive control
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False, timeout=60)
    assert "sealgate.service" in done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_it_is_hardened():
    """The exposure that systemd itself computes stays low (0 is none, 10 is everything)."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"exposure level for sealgate\.service: ([0-9.]+)", done.stdout)
    if found is None:
        pytest.skip("this systemd-analyze cannot judge a file")

    assert float(found[1]) < 3.0


def test_its_environment_is_configuration():
    """Each variable in the unit is a setting."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str
    text = UNIT.read_text("utf-8")
    parser.read_string(text)
    pairs = dict(line.split("=", 1)[1].split("=", 1) for line in text.splitlines() if line.startswith("Environment="))
    found = configuration.parse('[authority]\norigin="o"\nid="a"\n', base=Path("/var/lib/sealgate"), environment=pairs)

    assert len(pairs) == 3
    assert found.server.socket == Path("/run/sealgate/sealgate.sock")
    assert found.keys.passphrase == "credential:unlock"
    assert parser["Service"]["User"] == "sealgate"
