"""The systemd unit is well formed, hardened, and sets only what the configuration knows."""

import configparser
import grp
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from sealgate.adapters import configuration
from sealgate.sdk.settings import SYSTEM_SOCKET

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


def _instructions():
    """Return the commands that the unit's first lines give, words of each."""
    lines = [line.removeprefix("#   ") for line in UNIT.read_text("utf-8").splitlines() if line.startswith("#   ")]
    return [shlex.split(command, comments=True) for command in "\n".join(lines).replace("\\\n", "").splitlines()]


def _initialize():
    """Return the arguments with which the instructions have an authority made."""
    (words,) = [words for words in _instructions() if "init" in words]
    return words[words.index("init") + 1 :]


def test_what_it_starts_serves(tmp_path):
    """Its own instructions, command and environment, the passphrase as a credential: ready is told, and so is the stop.

    In a whole system, with the sandbox: `make service`.
    """
    parser, environment = _read()
    state, credentials, run = tmp_path / "state", tmp_path / "credentials", tmp_path / "run"
    for folder in (state, credentials, run):
        folder.mkdir(mode=0o700)
    group = grp.getgrgid(os.getgid()).gr_name
    places = {"/var/lib/sealgate": str(state), "/run/sealgate": str(run), "sealgate-clients": group}
    arguments = _initialize()
    for name, place in places.items():
        arguments = [word.replace(name, place) for word in arguments]
    subprocess.run([SEALGATE, "init", *arguments], check=True, capture_output=True)
    (state / "sealgate" / "keys" / "unlock").rename(credentials / "unlock")
    environment |= {"CREDENTIALS_DIRECTORY": str(credentials)}
    _, *arguments = parser["Service"]["ExecStart"].replace("/var/lib/sealgate", str(state)).split()

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


def test_what_it_and_its_instructions_set_is_configuration():
    """Each variable in the unit is a setting, and so is what the instructions give; sockets are where clients look."""
    parser, pairs = _read()
    arguments = _initialize()
    flags = [arguments[at + 1] for at, word in enumerate(arguments) if word == "--set"]
    base = Path(arguments[0])
    found = configuration.parse('[authority]\norigin="o"\nid="a"\n', base=base, environment=pairs, flags=flags)

    assert parser["Service"]["ExecStart"].endswith(f" --config {base}/sealgate.toml")
    assert (len(pairs), len(flags)) == (1, 4)
    assert found.keys.passphrase == "credential:unlock"
    assert found.server.socket == SYSTEM_SOCKET
    assert found.collector.socket == SYSTEM_SOCKET.with_name("collector.sock")
    assert found.server.socket_group == parser["Service"]["Group"]
    assert parser["Service"]["User"] == "sealgate"
