"""An authority whose keys are in a PKCS#11 device (SoftHSM2): made, served, read, rotated, verified."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from sealgate.cli import _children
from sealgate.demo.authority import Authority, program, run

pytestmark = pytest.mark.timeout(400)  # many processes are started, on a machine that may be busy

PIN, BODIES_PIN = "1234567890", "9876543210"
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib/libsofthsm2.so")
QUESTION = {
    "subject": {"type": "agent", "id": "a"},
    "action": {"name": "x"},
    "resource": {"type": "tool_server", "id": "s"},
    "context": {"input": {"account": "DE89"}},
}


class Device:
    """Two tokens: one with the signing keys, one with the wrapping key."""

    def __init__(self, folder, module):
        self.module, self.folder = module, folder
        (folder / "tokens").mkdir(parents=True)
        (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")  # read by the library, which all processes load
        for label, pin in (("gate", PIN), ("bodies", BODIES_PIN)):
            command = [
                "softhsm2-util",
                "--init-token",
                "--free",
                "--label",
                label,
                "--pin",
                pin,
                "--so-pin",
                "87654321",
            ]
            subprocess.run(command, check=True, capture_output=True)
            path = folder / f"{label}-pin"
            path.touch(mode=0o600)
            path.write_text(pin)

    def options(self, token="gate"):
        """The options that name one token."""
        pin = f"file:{self.folder / token}-pin"
        return "--pkcs11-module", self.module, "--pkcs11-token", token, "--pkcs11-pin", pin

    @property
    def both(self):
        """The options that name both."""
        pin = f"file:{self.folder / 'bodies'}-pin"
        return *self.options(), "--pkcs11-wrapping-token", "bodies", "--pkcs11-wrapping-pin", pin


class DeviceAuthority(Authority):
    """Made with the keys of both tokens."""

    def __init__(self, folder, device):
        super().__init__(folder)
        self.INIT_OPTIONS = ("--origin", "hsm.example/1", *device.both)


@pytest.fixture(name="device")
def _device(tmp_path, monkeypatch):
    """A SoftHSM2 of this test alone; skipped by name where it is not installed."""
    module = next((path for path in map(pathlib.Path, MODULES) if path.exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM2 is not installed")
    monkeypatch.setenv("SOFTHSM2_CONF", "")  # so that what is set below is taken back
    device = Device(tmp_path / "hsm", module)
    run("keys", "generate-on-device", *device.both)
    return device


@pytest.fixture(name="authority")
def _authority(device, tmp_path):
    """One that was made on the device and serves."""
    with DeviceAuthority(tmp_path / "a", device) as made:
        yield made


def _until(condition, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _decide(authority):
    """Return the record id of one decision."""
    status, answer = authority.post("/access/v1/evaluation", QUESTION)
    assert status == 200
    context = json.loads(answer)["context"]
    assert context["reason"] == "no_policy"
    return context["record_id"]


def _read(authority, record):
    """Return what the evidence service, a process of its own, finds of a record."""
    _until((authority.folder / "evidence" / "evidence.sock").exists)
    command = ["search", "--config", authority.configuration, "--kind", "decision", "--json", "--reason", "test"]

    def found():
        done = subprocess.run([program("sealgate"), *command], capture_output=True, text=True, check=False)
        return done.stdout if record in done.stdout else ""

    _until(found)
    return found()


def _in_a_process(authority, code):
    """Return the lines that ``code`` prints with ``ring``; a process of its own, as SoftHSM2 is set up once."""
    program = f"""
from pathlib import Path
from sealgate.adapters import configuration
from sealgate.adapters.keys.keyring import Keyring
from sealgate.model.errors import SealgateError
try:
    ring = Keyring.of(configuration.load(Path({str(authority.configuration)!r}), {{}}))
    {code}
except SealgateError as error:
    print(f"{{type(error).__name__}}: {{error.message}}")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def _verify(authority, tmp_path, record):
    run("receipt", record, "--config", authority.configuration, "--out", tmp_path / "r", "--transparent")
    trust = ("--trust", str(authority.trust_file))
    for name, body in (("r.tlog-proof", ("--body", str(tmp_path / "r.body.json"))), ("r.cose", ())):
        command = [program("sealgate-verify"), "receipt", str(tmp_path / name), *body, *trust, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert json.loads(done.stdout)["verdict"] == "verified", done.stdout


def test_bodies_are_read_by_another_process(authority, tmp_path):
    """The evidence service opens the wrapping key on its own token; a receipt by the device's keys verifies."""
    record = _decide(authority)

    assert '"a"' in _read(authority, record)
    _verify(authority, tmp_path, record)


def test_every_key_of_the_device_is_replaced(authority, device, tmp_path):
    """Signing keys while it runs, the wrapping key while it is stopped; what was sealed before still reads."""
    before = _decide(authority)
    root = ("--config", authority.configuration)
    for purpose in ("statement", "receipt"):
        run("keys", "generate-on-device", *device.options(), "--label", f"next-{purpose}", "--purpose", purpose)
        run("keys", "rotate", *root, "--purpose", purpose, "--label", f"next-{purpose}", "--apply")
    authority.stop()
    (wrapped,) = _in_a_process(authority, "print(ring.open_reading().wrap(bytes(32)).hex())")
    run("keys", "generate-on-device", *device.options("bodies"), "--label", "next-kek", "--purpose", "wrapping")
    run("keys", "rotate", *root, "--purpose", "wrapping", "--label", "next-kek")
    opened = f"unwrap(bytes.fromhex('{wrapped}')).hex()"
    old, new = "ring.wrapping_key('sealgate-wrapping')", "ring.open_reading()"
    assert _in_a_process(authority, f"print({old}.{opened})") == [bytes(32).hex()]  # the control
    assert _in_a_process(authority, f"print({new}.{opened})") == ["AlteredError: wrapped data key does not open"]

    authority.start()
    after = _decide(authority)

    _read(authority, before)
    _read(authority, after)
    _verify(authority, tmp_path, after)
    listed = subprocess.run([program("sealgate"), "keys", "list", *root], capture_output=True, text=True, check=True)
    assert "in use: next-statement, next-receipt, permit.key, next-kek" in listed.stdout


def test_who_reads_cannot_sign(authority, device):
    """With the wrapping token's PIN alone the wrapping key opens; the signing keys need the other PIN."""
    authority.stop()
    sign, read = "print(len(ring.open().statement.sign(b'x')))", "print(len(ring.open_reading().wrap(bytes(32))))"
    assert _in_a_process(authority, sign) == ["64"]  # the control
    (device.folder / "gate-pin").unlink()

    assert _in_a_process(authority, read) == ["40"]
    (refused,) = _in_a_process(authority, sign)
    assert refused.startswith("ConfigurationError: file ")


def test_the_doctor_tells_of_a_shared_token_and_of_evidence_that_does_not_run(authority):
    """Its own token: no warning; the same token: a warning. The evidence service is asked, too."""
    _until((authority.folder / "evidence" / "evidence.sock").exists)

    def findings(*options):
        command = [program("sealgate"), "doctor", "--config", authority.configuration, "--json", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return {(row["check"], row["status"]) for row in json.loads(done.stdout)["checks"]}

    _until(lambda: ("evidence", "ok") in findings())
    own = findings()
    shared = findings("--set", "keys.pkcs11_wrapping_token=", "--set", "keys.pkcs11_wrapping_pin=")
    gone = findings("--set", "access.socket=nowhere.sock")

    assert ("wrapping key", "warning") not in own
    assert ("wrapping key", "warning") in shared
    assert ("evidence", "failed") in gone


def test_only_who_opens_the_wrapping_key_gets_the_library_s_variables(monkeypatch):
    """Named variables go to the evidence service; nothing else does, and nobody else gets them."""
    monkeypatch.setenv("SOFTHSM2_CONF", "/x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")

    assert [child.name for child in _children.CHILDREN if child.reads_bodies] == ["evidence"]
    assert _children._environment(("SOFTHSM2_CONF",))["SOFTHSM2_CONF"] == "/x"
    assert "AWS_SECRET_ACCESS_KEY" not in _children._environment(("SOFTHSM2_CONF",))
    assert "SOFTHSM2_CONF" not in _children._environment()
