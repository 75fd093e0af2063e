"""A whole installation at work, then every byte that it left on disk: nothing of what agents said can be read there."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import pytest

from .contents import content

pytestmark = pytest.mark.timeout(400)  # many processes are started, on a machine that may be busy
SEALGATE = str(Path(sys.executable).with_name("sealgate"))
MARK = "the heron of slate waits at pier forty-one"
"""A sentence that no detector takes for personal data, so that a policy which keeps contents keeps it."""

POLICY = """
version = 1

[defaults]
content = "keep"
text = "keep"
"""

AGENT = f"""
import sealgate
with sealgate.session(framework="own"), sealgate.task("say: {MARK}", id="task-heron"):
    sealgate.input_received("{MARK}", channel="chat", trusted=False)
    with sealgate.step("think", "because {MARK}"):
        with sealgate.model_call("m", provider="p", template="{MARK} {{x}}", variables={{"x": "{MARK}"}}) as call:
            call.output({{"text": "{MARK}"}})
    sealgate.log_event("noted", {{"text": "{MARK}"}})
"""


def _writings(text):
    """Return the text as plain bytes and in the encodings that it could be stored in."""
    plain = text.encode()
    found = {"plain": plain, "utf-16": text.encode("utf-16-le"), "hex": plain.hex().encode()}
    found["url"] = urllib.parse.quote(text).encode()
    for shift in range(3):  # base64 of a text inside another text has one of three forms
        padded = base64.b64encode(b"x" * shift + plain)
        found[f"base64+{shift}"] = padded[4 : len(padded) - 8]
    return found


def _hits(folders, text):
    wanted = _writings(text)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [(path.name, name) for path in files for name, form in wanted.items() if form in content(path)], files


def _run(folder, *arguments):
    command = [SEALGATE, *arguments, "--config", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return done.stdout if done.returncode == 0 else ""


@pytest.fixture(name="site")
def _site(tmp_path):
    folder = tmp_path / "sg"
    subprocess.run([SEALGATE, "init", str(folder)], check=True, capture_output=True)
    (folder / "privacy.toml").write_text(POLICY, "utf-8")
    (folder / "privacy.toml").chmod(0o600)
    flags = ["--set", f"privacy.policy={folder / 'privacy.toml'}", "--set", "access.enabled=yes"]
    flags += ["--set", "collector.enabled=yes", "--set", "vault.enabled=yes"]
    log = (tmp_path / "stderr.txt").open("wb")
    process = subprocess.Popen([SEALGATE, "serve", *flags, "--config", str(folder)], stderr=log)
    try:
        yield folder, tmp_path, process
    finally:
        process.kill()
        process.wait(20)
        log.close()


def _kinds(folder):
    """Return the kinds of the task's rows."""
    told = _run(folder, "search", "--task-id", "task-heron", "--reason", "test", "--json")
    return {row["kind"] for row in json.loads(told)["page"]["rows"]} if told else set()


def _agent(folder, tmp_path):
    environment = {
        **os.environ,
        "SEALGATE_AGENT": "heron-agent",
        "SEALGATE_SOCKET": str(folder / "sealgate.sock"),
        "SEALGATE_COLLECTOR_SOCKET": str(folder / "collector.sock"),
        "SEALGATE_SPOOL": str(tmp_path / "spool"),
        "SEALGATE_PRIVACY": str(folder / "privacy.toml"),
    }
    subprocess.run([sys.executable, "-c", AGENT], check=True, env=environment, timeout=100)


def test_no_byte_on_disk_says_what_agents_said(site):
    """The sentence is found by its reader, and in no file: journal, log, spool, store, vault, keys, standard error."""
    folder, tmp_path, process = site
    _agent(folder, tmp_path)  # perhaps before anything listens: then it waits in the spool
    waiting, _ = _hits([tmp_path], MARK)
    assert [hit for hit in waiting if hit[0] != "privacy.toml"] == []
    deadline = time.monotonic() + 120
    while MARK not in _run(folder, "search", "--text", "heron of slate", "--reason", "test", "--json"):
        assert time.monotonic() < deadline, (tmp_path / "stderr.txt").read_text("utf-8")[-2000:]
        assert process.poll() is None
        _agent(folder, tmp_path)
        time.sleep(0.5)
    while not _kinds(folder) >= {"input.received", "model.call", "reasoning"}:  # one after the other they get there
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert MARK in _run(folder, "trace", "task-heron", "--reason", "test", "--json")

    while_running, _ = _hits([tmp_path], MARK)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    stopped, files = _hits([tmp_path], MARK)

    assert while_running == stopped == []
    assert len(files) > 20
    assert any(path.suffix == ".duckdb" or "evidence" in path.parts for path in files)


def test_the_search_finds_every_writing(tmp_path):
    """Positive control: each writing, planted in a file, is found."""
    for form in _writings(MARK).values():
        (tmp_path / "planted").write_bytes(b"x" * 999 + form + b"y")
        assert _hits([tmp_path], MARK)[0]
    embedded = base64.b64encode(b"{" + MARK.encode() + b"}")
    (tmp_path / "planted").write_bytes(embedded)
    assert _hits([tmp_path], MARK)[0]
