"""The vault and the authority as processes: two persons, one value, one erasure, and what the log says of it."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from sealgate.adapters.vault.redacting import VaultRedactor
from sealgate.model.errors import UnavailableError

from .contents import content

RUN = (sys.executable, "-c", "from sealgate.cli import main; main()")
VALUES = "email ada.lovelace@example.org\nphone +44 20 7946 0018\n"
REASON = "fraud case 4711, asked for by legal"


class Installation:
    """An installation whose processes one command runs, and a second person with a key."""

    def __init__(self, folder):
        self.folder = folder / "gate"
        self.run("init", str(self.folder), "--origin", "log.example/1", config=False)
        roles = [option for role in ("lookup", "consent") for option in ("--role", role)]
        made = self.run("keys", "api", "add", "second", *roles)
        self.key = next(word for word in made.split() if len(word) > 40)
        self.process = subprocess.Popen(
            [*RUN, "serve", "--config", str(self.folder), "--set", "vault.enabled=yes"], start_new_session=True
        )
        deadline = time.monotonic() + 60
        while not all((self.folder / name).exists() for name in ("sealgate.sock", "vault/vault.sock")):
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            time.sleep(0.05)

    def run(self, *arguments, config=True, given="", code=0):
        """Run one command; return what it printed."""
        options = ("--config", str(self.folder)) if config else ()
        done = subprocess.run(
            [*RUN, *arguments, *options], input=given, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def ask(self, method, path, body=None, *, as_second=False):
        """Send one request to the vault, as the user of the tests or as the second person."""
        transport = httpx.HTTPTransport(uds=str(self.folder / "vault" / "vault.sock"))
        headers = {"authorization": f"Bearer {self.key}"} if as_second else {}
        with httpx.Client(transport=transport, base_url="http://vault", timeout=30) as client:
            return client.request(method, path, json=body, headers=headers)

    def kill(self):
        """Kill every process at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory):
    """A running installation."""
    site = Installation(tmp_path_factory.mktemp("site"))
    yield site
    site.kill()


@pytest.fixture(name="subject")
def _subject(site):
    """A registered person."""
    return site.run("subject", "register", given=VALUES).strip()


def test_two_persons_look_a_token_up(site, subject):
    """Asked on the command line, consented to by the second person, told once; each step is a record in the log."""
    asked = site.ask("POST", "/v1/tokens", {"values": [{"type": "email", "value": "Ada.Lovelace@example.org"}]})
    token = asked.json()["tokens"][0]
    wish = site.run("lookup", "request", token, "--reason", REASON).strip()
    own = site.run("lookup", "consent", wish, code=1)
    consent = site.ask("POST", f"/v1/lookups/{wish}/consent", {}, as_second=True)

    assert "ask another" in own
    assert consent.status_code == 200
    assert site.ask("GET", f"/v1/lookups/{wish}", as_second=True).status_code == 404
    assert site.run("lookup", "show", wish).strip() == "ada.lovelace@example.org"
    assert site.run("lookup", "show", wish).strip() == wish  # once
    assert site.run("subject", "find", given="phone 442079460018x\n") == ""
    assert site.run("subject", "find", given="phone +442079460018\n").strip() == subject
    assert json.loads(site.run("subject", "export", subject))["values"][0]["token"] == token


def test_the_vault_asks_for_its_roles(site):
    """The second person may look up and consent, and nothing else; without a proof nobody may anything."""
    for method, path in (("POST", "/v1/subjects"), ("POST", "/v1/tokens"), ("GET", "/v1/known-values")):
        assert site.ask(method, path, {} if method == "POST" else None, as_second=True).status_code == 403
    assert site.ask("GET", "/v1/lookups", as_second=True).status_code == 200
    assert site.ask("GET", "/v1/known-values").status_code == 200


def test_a_person_is_erased_and_the_certificate_verifies(site, tmp_path):
    """Vault and authority forget; the certificate verifies with the public key alone, and not when it was changed."""
    subject = site.run("subject", "register", given="email grace@example.org\nname Grace Hopper\n").strip()
    done = site.run("subject", "erase", subject, "--basis", "gdpr-17-1-b")
    status = json.loads(site.run("subject", "status", subject))
    record = status["erasure"]["record_id"]

    assert "executed" in done
    assert (status["state"], status["values"]) == ("erased", 0)
    assert site.run("subject", "find", given="email grace@example.org\n") == ""
    site.run("subject", "certificate", record, "--out", str(tmp_path / "certificate"), "--wait", "60")
    trust = ("--trust", str(site.folder / "trust.json"))
    file = tmp_path / "certificate.json"
    assert "verdict: verified" in site.run("subject", "verify-certificate", str(file), *trust, config=False)
    assert subject in (tmp_path / "certificate.txt").read_text()
    assert "grace" not in (file.read_text() + (tmp_path / "certificate.txt").read_text()).lower()
    changed = json.loads(file.read_text())
    changed["body"] = changed["body"].replace('"records":0', '"records":7')
    file.write_text(json.dumps(changed))
    site.run("subject", "verify-certificate", str(file), *trust, config=False, code=10)


def test_a_refusal_on_a_legal_ground_keeps_the_person(site):
    """The refusal exits with 1 and names its ground; the person is still found."""
    subject = site.run("subject", "register", given="email kept@example.org\n").strip()
    arguments = ("--basis", "gdpr-17-1-b", "--refuse", "gdpr-17-3-b", "--reason", "tax law")
    refused = site.run("subject", "erase", subject, *arguments, code=1)

    assert "gdpr-17-3-b" in refused
    assert site.run("subject", "find", given="email kept@example.org\n").strip() == subject


def test_no_value_is_readable_on_disk(site, subject):
    """No file of the installation holds a value in the clear; the token of the person is in no public file either."""
    found = [
        path
        for path in site.folder.rglob("*")
        if path.is_file()
        for plain in (b"lovelace@example.org", b"7946 0018", b"+442079460018", REASON.encode())
        if plain in content(path)
    ]

    assert found == []
    assert not any(subject.encode() in content(path) for path in (site.folder / "log").rglob("*") if path.is_file())


def test_the_how_to_works_as_written(site, tmp_path):
    """The commands of docs/how-to/erase-a-person.md run in order in one shell, and the person is nobody afterwards."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "erase-a-person.md").read_text("utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    commands = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    (tmp_path / "sealgate").symlink_to(site.folder)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": path, "SEALGATE_CONFIG": str(site.folder)}
    done = subprocess.run(
        ["bash", "-euxc", "\n".join(commands)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(commands) > 8
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verdict: verified" in done.stdout
    assert json.loads((tmp_path / "export.json").read_text())["values"][0]["value"] == "ada@example.org"
    assert site.run("subject", "find", given="email ada@example.org\n") == ""


def _item(text):
    return {
        "item_id": "01a1fc46-fe05-7ad7-895d-000000000001",
        "kind": "event.logged",
        "time": "2026-11-21T03:00:00.000Z",
        "agent": "a1",
        "coverage": "captured",
        "source": "sdk",
        "attributes": {"event_type": text},
    }


def test_a_collector_s_redactor_finds_registered_persons(site):
    """A registered name becomes its token and names its subject, a stranger gets a new one; a copy does alike."""
    subject = site.run("subject", "register", given="name Wilhelmina Quandt\n").strip()
    token = json.loads(site.run("subject", "export", subject))["values"][0]["token"]
    redactor = VaultRedactor({"actions": {"default": "token"}}, None, site.folder / "vault" / "vault.sock")
    found = [
        made.redact(_item("for WILHELMINA  quandt, cc stranger@example.net"))
        for made in (redactor, pickle.loads(pickle.dumps(redactor)))  # noqa: S301  # our own bytes
    ]
    text = found[0]["attributes"]["event_type"]

    assert token in text
    assert "stranger" not in text
    assert text.count("tok_") == 2
    assert found[0]["subjects"] == [subject]
    assert found[1]["attributes"] == found[0]["attributes"]


def test_nothing_is_redacted_without_the_known_values(tmp_path):
    """Where the vault never answered an item is refused, not kept with names in it."""
    with pytest.raises(UnavailableError, match="no vault answers"):
        VaultRedactor({}, None, tmp_path / "none.sock").redact(_item("for Wilhelmina Quandt"))
