"""The systemd unit is well formed, hardened, and sets only what the configuration knows."""

import configparser
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from sealgate.adapters import configuration

SEALGATE = str(Path(sys.executable).with_name("sealgate"))
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


def _read():
    """Return the unit, and its environment."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str
    text = UNIT.read_text("utf-8")
    parser.read_string(text)
    return parser, dict(
        line.split("=", 1)[1].split("=", 1) for line in text.splitlines() if line.startswith("Environment=")
    )


def test_what_it_starts_serves(tmp_path):
    """The unit's own command and environment, its passphrase as a credential: ready is told, and so is the stop."""
    parser, environment = _read()
    data, credentials, run = tmp_path / "data", tmp_path / "credentials", tmp_path / "run"
    subprocess.run([SEALGATE, "init", str(data)], check=True, capture_output=True)
    for folder in (credentials, run):
        folder.mkdir(mode=0o700)
    (data / "keys" / "unlock").rename(credentials / "unlock")
    environment = {name: value.replace("/run/sealgate", str(run)) for name, value in environment.items()}
    environment |= {"SEALGATE_SERVER_SOCKET_GROUP": "", "CREDENTIALS_DIRECTORY": str(credentials)}
    _, *arguments = parser["Service"]["ExecStart"].replace("/var/lib/sealgate", str(data)).split()

    assert parser["Service"]["Type"] == "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        whole = os.environ | environment | {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        process = subprocess.Popen([SEALGATE, *arguments], env=whole, stderr=subprocess.DEVNULL)
        try:
            assert systemd.recv(100) == b"READY=1"
            transport = httpx.HTTPTransport(uds=str(run / "sealgate.sock"))
            with httpx.Client(transport=transport, base_url="http://sealgate", timeout=15) as client:
                assert client.get("/healthz").status_code == 200
            process.send_signal(signal.SIGTERM)
            while systemd.recv(100) != b"STOPPING=1":
                pass
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait(10)


def test_its_environment_is_configuration():
    """Each variable in the unit is a setting."""
    parser, pairs = _read()
    found = configuration.parse('[authority]\norigin="o"\nid="a"\n', base=Path("/var/lib/sealgate"), environment=pairs)

    assert len(pairs) == 3
    assert found.server.socket == Path("/run/sealgate/sealgate.sock")
    assert found.keys.passphrase == "credential:unlock"
    assert parser["Service"]["User"] == "sealgate"
