"""The hook program as hosts start it, a real daemon, a real authority: every host's input, every failure."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from bench.ingest_world import free_port
from sealgate.demo.authority import Authority, run
from sealgate.hooks import canaries, daemon, doctor, frames, loopback, outputs, program, settings
from sealgate.hooks import install as installation
from sealgate.hooks.events import HOSTS
from sealgate.hooks.rows import ROWS

PACK = Path(settings.__file__).with_name("pack")

PATIENT_S = 60
"""What a hook may take where time is not the question: the first one starts a daemon, on a machine that may be busy."""


class World:
    """An authority with the starter policies, and the folder of a daemon that hooks start by themselves."""

    def __init__(self, folder, program):
        self.folder = folder
        self.program = program
        self.workspace = folder / "work"
        self.workspace.mkdir()
        self.authority = Authority(folder / "gate")
        self.hooks = folder / "hooks"
        chosen = settings.HookSettings(socket=str(self.authority.socket), spool=str(folder / "spool"))
        settings.write(self.hooks, chosen)

    def call(self, host, tool, arguments, *, phase="before", call="call-1", **options):
        """Make one call as the host would."""
        data = canaries.event(host, tool, arguments, phase=phase, folder=str(self.workspace), call=call)
        return self.raw(host, data, phase=phase, **options)

    def command(self, host, *, phase="before", folder=None, seconds=PATIENT_S):
        """Return the command in the host's settings."""
        return settings.command(phase, host, folder or self.hooks, by=self.program, seconds=seconds)

    def raw(self, host, data, *, change=lambda command: command, **options):
        """Start the hook with any input."""
        return doctor.run(change(self.command(host, **options)), data)

    def stop_daemon(self):
        """End the daemon of this folder, if there is one."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.hooks / "hook.sock"))
            pid = int.from_bytes(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")
            os.kill(pid, signal.SIGTERM)
            while Path(f"/proc/{pid}").exists():
                time.sleep(0.01)

    def records(self, kind):
        """Count the records of a kind in the log."""
        lines = run("log", "show", "--config", self.authority.configuration, "--json").splitlines()
        return [record for record in map(json.loads, lines) if record.get("kind") == kind]


@pytest.fixture(scope="module", name="world", params=["perl", "python"])
def _world(request):
    """One world for each of the two hook programs: all tests here drive both. Its path is short, as sockets want."""
    if request.param == "perl" and settings.client() != "perl":
        pytest.skip("no Perl that `program.pl` runs with")
    folder = Path(tempfile.mkdtemp(prefix="sg-hk-"))
    world = World(folder, request.param)
    with world.authority, pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "SELF_TIMEOUT_S", PATIENT_S)  # it waits for a hook a little longer
        world.authority.publish(PACK)
        yield world
        world.stop_daemon()
    shutil.rmtree(folder)


def refused(host, done):
    """Tell whether the host takes it for a refusal; a hook that says nothing gives no reason to the model."""
    return doctor.blocks(host, done) and bool(done.stdout + done.stderr)


@pytest.mark.parametrize("host", HOSTS)
def test_permits_and_refuses_in_each_hosts_own_form(world, host):
    """A permitted command is silence with status 0; a refused one is refused in the host's form, with our words."""
    (world.workspace / "a.txt").write_text("x")

    permitted = world.call(host, canaries.SHELL[host], {"command": "cat a.txt"})
    denied = world.call(host, canaries.SHELL[host], {"command": "sudo cat a.txt"})
    silent = world.call(host, canaries.SHELL[host], {"command": "cat /etc/passwd"})

    assert (permitted.returncode, permitted.stdout, permitted.stderr) == (0, b"", b"")
    assert refused(host, denied)
    assert b"shell-never" in denied.stdout
    assert refused(host, silent)
    assert b"no decision" not in silent.stdout


@pytest.mark.parametrize("host", HOSTS)
def test_a_compound_line_runs_only_if_all_of_it_may(world, host):
    """One command of a line that is not permitted refuses the line."""
    good = world.call(host, canaries.SHELL[host], {"command": "cat a.txt | wc -l && ls"})
    bad = world.call(host, canaries.SHELL[host], {"command": "cat a.txt && curl example.com"})
    opaque = world.call(host, canaries.SHELL[host], {"command": "cat $(echo a.txt)"})

    assert good.returncode == 0
    assert not good.stdout
    assert refused(host, bad)
    assert refused(host, opaque)


@pytest.mark.parametrize("host", HOSTS)
def test_the_outcome_is_reported(world, host):
    """After the call an outcome is in the log; an end that belongs to no permit is told and refuses nothing."""
    tool, arguments = canaries.SHELL[host], {"command": f"echo {host}"}
    assert world.call(host, tool, arguments, call=f"o-{host}").returncode == 0
    before = world.authority.metric_at_rest("sealgate_records_total")

    ended = world.call(host, tool, arguments, phase="after", call=f"o-{host}")
    again = world.call(host, tool, arguments, phase="after", call=f"o-{host}")

    assert (ended.returncode, ended.stderr) == (0, b"")
    deadline = time.monotonic() + 60
    while world.authority.metric("sealgate_records_total") <= before:  # it may have gone by the spool
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert again.returncode == 1
    assert b"no permit" in again.stderr


def test_the_daemon_is_started_once(world):
    """Many hooks at once find no daemon: all of them get a decision, from one daemon."""
    world.stop_daemon()
    answers = []

    def ask():
        answers.append(world.call("claude", "Bash", {"command": "ls"}).returncode)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [0] * 4


@contextlib.contextmanager
def impostor(folder, behave):
    """A daemon that does as told with each connection's question."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "hook.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        head = frames.read_head(connection.makefile("rb").readline().rstrip(b"\n"))
                        behave(connection, head)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield folder
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


PERMIT = outputs.SILENT
NOTED = outputs.noted("something")

MISBEHAVIOURS = {
    "daemon crashed": lambda *_: None,
    "answer unreadable": lambda connection, _: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n{}"),
    "answer half written": lambda connection, head: connection.sendall(frames.answer(head.nonce, PERMIT)[:-1]),
    "answer to another call": lambda connection, _: connection.sendall(frames.answer("0" * 16, PERMIT)),
    "answer with more behind it": lambda connection, head: connection.sendall(frames.answer(head.nonce, PERMIT) + b"!"),
    "status unknown": lambda connection, head: connection.sendall(frames.answer(head.nonce, outputs.Output(7))),
    "status of another phase": lambda connection, head: connection.sendall(frames.answer(head.nonce, NOTED)),
    "refusal without a word": lambda connection, head: connection.sendall(frames.answer(head.nonce, outputs.Output(2))),
    "daemon slow": lambda *_: time.sleep(1.5),
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("row", MISBEHAVIOURS)
def test_a_daemon_that_misbehaves_refuses(world, host, row):
    """Whatever comes instead of a whole answer to this very call, the host sees a refusal."""
    assert row in ROWS
    with impostor(world.folder / "fake", MISBEHAVIOURS[row]) as folder:
        done = world.call(host, canaries.SHELL[host], {"command": "ls"}, folder=folder, seconds=1)

    assert refused(host, done)
    assert b"no decision" in done.stderr


def test_a_whole_answer_is_the_positive_control(world):
    """The same impostor with a whole permit is believed: it is this user's own socket."""
    with impostor(
        world.folder / "fake", lambda connection, head: connection.sendall(frames.answer(head.nonce, PERMIT))
    ) as folder:
        done = world.call("claude", "Bash", {"command": "ls"}, folder=folder)

    assert done.returncode == 0


def test_every_cut_of_an_answer_refuses(world):
    """No beginning of a permit is a permit."""
    whole = frames.answer("0" * 16, PERMIT)
    for length in range(len(whole)):
        with impostor(
            world.folder / "fake",
            lambda connection, head, length=length: connection.sendall(frames.answer(head.nonce, PERMIT)[:length]),
        ) as folder:
            assert world.call("claude", "Bash", {"command": "ls"}, folder=folder, seconds=2).returncode == 2


def instead(program):
    """Return a change of a command that starts another program; the command's own watch over it stays."""
    return lambda command: command[: command.index(" sealgate '/")] + f" sealgate {program}"


def without_interpreter(command):
    """Take the interpreter away, of whichever program."""
    return command.replace("'/usr/bin/perl'", "'/usr/bin/none'") if "perl" in command else without_python(command)


def without_python(command):
    """Take Python away."""
    return command.replace("/bin/python", "/bin/none")


@pytest.mark.parametrize("host", HOSTS)
def test_rows_without_a_daemon(world, host):
    """No daemon and none to start, no program or half of one, a program that dies, a folder open to others: refused."""
    tool, arguments = canaries.SHELL[host], {"command": "ls"}
    empty = world.folder / f"empty-{host}"
    empty.mkdir(mode=0o700)
    (empty / "start").write_text("/bin/false")
    shared = world.folder / f"shared-{host}"
    shared.mkdir()
    shared.chmod(0o777)
    program = str(settings.program(world.program))

    def call(**options):
        return world.call(host, tool, arguments, **options)

    done = {
        "daemon missing": call(folder=empty, seconds=1),
        "daemon and interpreter missing": call(folder=empty, seconds=1, change=without_python),
        "program missing": call(change=lambda command: command.replace(program, "/none")),
        "program empty": call(change=lambda command: command.replace(program, "/dev/null")),
        "interpreter missing": call(change=without_interpreter),
        "program killed": call(change=instead('/bin/sh -c "kill -9 \\$\\$"')),
        "program crashed": call(change=instead("/bin/false")),
        "program ended well": call(change=instead("/bin/true")),
        "program refused without a word": call(change=instead('/bin/sh -c "exit 2"')),
        "folder open to others": call(folder=shared),
    }

    assert {row: refused(host, result) for row, result in done.items()} == dict.fromkeys(done, True)
    assert all(result.stderr for result in done.values())
    assert done.keys() <= ROWS.keys()


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash", "/bin/zsh", "/usr/bin/fish", "/bin/csh"])
def test_the_shell_of_the_host_does_not_matter(world, shell):
    """Codex hands the command to the user's own shell, which may know neither `$?` nor `||`."""
    if not Path(shell).exists():
        pytest.skip(f"no {shell} here")
    event = canaries.event("codex", "Bash", {"command": "ls"}, folder=str(world.workspace))

    def run(command):
        return subprocess.run([shell, "-c", command], input=event, capture_output=True, check=False).returncode

    assert run(world.command("codex")) == 0
    assert run(instead("/bin/true")(world.command("codex"))) == 2


def test_what_the_environment_says_about_options_does_not_matter(world, monkeypatch):
    """Neither interpreter loads what its variables name: here a module that would end with a permit."""
    folder = world.folder / "modules"
    folder.mkdir(exist_ok=True)
    (folder / "Evil.pm").write_text(f"exit {program.PASS}; 1;\n", "utf-8")
    (folder / "sitecustomize.py").write_text(f"import os\nos._exit({program.PASS})\n", "utf-8")
    monkeypatch.setenv("PERL5LIB", str(folder))
    monkeypatch.setenv("PERL5OPT", "-MEvil")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    event = canaries.event("claude", "Bash", {"command": "sudo ls"}, folder=str(world.workspace))

    def status(change):
        return world.raw("claude", event, change=change).returncode

    assert status(lambda command: command) == 2
    assert status(lambda command: command.replace(" -T ", " ").replace(" -I -S ", " ")) == 0


def test_a_refusal_reads_its_input_first(world):
    """A host that cannot write all of a large event may take the hook for broken, so each refusal takes all of it."""
    shared = world.folder / "shared-large"
    shared.mkdir(exist_ok=True)
    shared.chmod(0o777)
    event = canaries.event("codex", "Bash", {"command": "ls " + "x" * 1_000_000}, folder=str(world.workspace))
    commands = {
        "interpreter missing": without_interpreter(world.command("codex")),
        "program crashed": instead("/bin/false")(world.command("codex")),
        "folder open to others": world.command("codex", folder=shared),
        "input oversized": world.command("codex"),
    }
    for row, command in commands.items():
        data = event * 9 if row == "input oversized" else event
        with subprocess.Popen(
            ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as hook:
            assert hook.stdin is not None
            hook.stdin.write(data)  # BrokenPipeError where the hook did not read it
            hook.stdin.close()
            assert hook.wait(timeout=100) == 2, row


def test_the_perl_program_is_strict():
    """It loads no `strict` for the sake of time, and would compile with it and with every warning fatal."""
    if settings.client() != "perl":
        pytest.skip("no Perl that `program.pl` runs with")
    done = subprocess.run(
        [settings.PERL, "-Mstrict", "-Mwarnings=FATAL,all", "-Tc", settings.program("perl")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr.strip()) == (0, f"{settings.program('perl')} syntax OK")


@pytest.mark.parametrize("host", HOSTS)
def test_rows_of_the_input(world, host):
    """Unknown event, unreadable or oversized input, an input that never ends: refused."""
    event = json.loads(canaries.event(host, canaries.SHELL[host], {"command": "ls"}, folder=str(world.workspace)))
    unknown = json.dumps({**event, "hook_event_name": "BeforeEverything"}).encode()
    large = json.dumps({**event, "padding": "x" * frames.MAX_INPUT_BYTES}).encode()
    twice = json.dumps(event).encode()[:-1] + b', "cwd": "/"}'

    done = {
        "event unknown": world.raw(host, unknown),
        "input unreadable": world.raw(host, b"{"),
        "input ambiguous": world.raw(host, twice),
        "input oversized": world.raw(host, large),
        "input empty": world.raw(host, b""),
    }

    assert {row: refused(host, result) for row, result in done.items()} == dict.fromkeys(done, True)
    assert done.keys() <= ROWS.keys()


@pytest.mark.parametrize("host", HOSTS)
def test_rows_of_time_and_pipes(world, host):
    """Input that does not end, and nobody who reads our words: refused by the status alone."""
    command = world.command(host, seconds=1)
    with subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as hanging:
        assert hanging.stdin is not None
        hanging.stdin.write(b"{")
        hanging.stdin.flush()
        assert hanging.wait(timeout=100) == 2
    data = canaries.event(host, canaries.SHELL[host], {"command": "sudo ls"}, folder=str(world.workspace))
    closed = f"({world.command(host)}) >&- 2>&-"

    assert doctor.run(closed, data).returncode == 2
    assert {"input never ends", "output closed"} <= ROWS.keys()


def test_the_authority_is_gone(world):
    """While the authority is down every call is refused; when it is back the same daemon decides again."""
    assert world.call("claude", "Bash", {"command": "ls"}).returncode == 0
    world.authority.stop()
    try:
        down = {host: world.call(host, canaries.SHELL[host], {"command": "ls"}) for host in HOSTS}
    finally:
        world.authority.start()

    assert {host: refused(host, done) for host, done in down.items()} == dict.fromkeys(HOSTS, True)
    assert world.call("claude", "Bash", {"command": "ls"}).returncode == 0
    assert "authority gone" in ROWS


@pytest.mark.parametrize("host", HOSTS)
def test_install_doctor_uninstall(world, host, monkeypatch):
    """Installed for a user the doctor sees a block by a decision; with anything of the command gone it says so."""
    home = world.folder / f"home-{host}"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin"}  # without the host itself: that is the next test

    def hook(*arguments):
        program = Path(shutil.which("sealgate", path=f"{Path(os.sys.executable).parent}"))
        return subprocess.run(
            [program, "hook", *arguments], env=environ, capture_output=True, text=True, timeout=100, check=False
        )

    def bad():
        return [found.text for found in doctor.examine(host, environ, home) if found.state == "bad"]

    assert "no hook of ours" in bad()[0]
    installed = hook("install", host, "--socket", str(world.authority.socket), "--folder", str(world.hooks))
    assert installed.returncode == 0, installed.stderr
    report = hook("doctor", host)
    assert report.returncode == 0, report.stdout
    assert "blocked by a decision" in report.stdout
    assert "escapes" in report.stdout
    path = installation.settings_file(host, "user", environ, home)
    written = path.read_text("utf-8")
    for before, after, said in (
        ("/bin/python", "/bin/none", "which is gone"),
        ("program.pl", "none.pl", "not by a decision"),
        ("exec /bin/sh", "/bin/true || exec /bin/sh", "NOT blocked"),
        ("timeout 5 cat", "cat", "not one that this version writes"),
    ):
        path.write_text(written.replace(before, after), "utf-8")
        assert (said in " ".join(bad())) is (before in written), bad()
    path.write_text(written, "utf-8")
    assert not bad()
    assert hook("uninstall", host).returncode == 0
    assert not path.exists()


CODEX = """#!/bin/sh
read -r first; read -r second; read -r third
echo "$first $second $third" | grep -q hooks/list || exit 1
echo '{"id":1,"result":{}}'
cat %s
"""


@pytest.mark.parametrize(
    ("state", "enabled", "said"),
    [
        ("trusted", True, "good codex says that it runs this hook"),
        ("managed", True, "good codex says that it runs this hook"),
        ("untrusted", True, "bad codex SKIPS PreToolUse (untrusted), PostToolUse (untrusted)"),
        ("modified", True, "bad codex SKIPS PreToolUse (modified), PostToolUse (modified)"),
        ("trusted", False, "bad codex SKIPS PreToolUse (disabled), PostToolUse (disabled)"),
        (None, True, "warning codex does not say whether it runs this hook"),
    ],
)
def test_the_doctor_asks_codex_whether_it_runs_the_hook(world, tmp_path, state, enabled, said):
    """Codex skips a hook without a word that was not trusted, so the doctor asks it; the words are 0.169's."""
    commands = {phase: world.command("codex", phase=phase) for phase in ("before", "after")}
    environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    installation.install(installation.settings_file("codex", "user", environ, tmp_path), "codex", commands)
    hooks = [{"command": command, "enabled": enabled, "trustStatus": state} for command in commands.values()]
    answer = {"id": 2, "result": {"data": [{"cwd": "/", "hooks": hooks}]}} if state else {"id": 2, "error": {}}
    (tmp_path / "answer").write_text(json.dumps(answer) + "\n", "utf-8")
    (tmp_path / "codex").write_text(CODEX % (tmp_path / "answer"), "utf-8")
    (tmp_path / "codex").chmod(0o755)

    found = [f"{found.state} {found.text}" for found in doctor.examine("codex", environ, tmp_path)]

    assert [line for line in found if line.startswith(said)], found


def test_claude_may_ask_over_http(world):
    """The loopback port gives the same decisions; without the secret, or about nonsense, it refuses."""
    port = free_port()
    folder = world.folder / "http"
    chosen = settings.HookSettings(socket=str(world.authority.socket), spool=str(world.folder / "s2"), http_port=port)
    settings.write(folder, chosen)
    daemon.start(folder)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "hook.sock").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        address = loopback.addresses(port, folder)["before"]
        event = canaries.event("claude", "Bash", {"command": "ls"}, folder=str(world.workspace))
        refused_event = canaries.event("claude", "Bash", {"command": "sudo ls"}, folder=str(world.workspace))

        assert post(address, event) == (200, {})
        assert post(address, refused_event)[1]["hookSpecificOutput"]["permissionDecision"] == "deny"
        assert post(address, b"{")[1]["hookSpecificOutput"]["permissionDecision"] == "deny"
        assert post(address.replace("/claude/", "0/claude/"), event)[0] == 403
    finally:
        assert daemon.stop(folder)


def post(address, data):
    """Return status and answer of one question over HTTP."""
    question = urllib.request.Request(address, data=data)  # noqa: S310  # our own address
    try:
        with urllib.request.urlopen(question, timeout=60) as answer:  # noqa: S310  # as above
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_a_permit_with_a_duty_is_no_permit_here(world):
    """A hook can fulfil no obligation, so a permit that has one is refused; so is one that needs a person."""
    directory = world.folder / "duties"
    shutil.copytree(PACK, directory)
    (directory / "policies" / "duties.cedar").write_text(
        '@id("duty") @obligation("redact:x") permit (principal, action == Action::"code.other", resource)\n'
        'when { context.input.name == "Duty" };\n'
        '@id("person") @require_approval("lead:1") permit (principal, action == Action::"code.other", resource)\n'
        'when { context.input.name == "Person" };\n'
    )
    world.authority.publish(directory)
    try:
        duty, person = (world.call("claude", name, {}) for name in ("Duty", "Person"))
        control = world.call("claude", "TodoWrite", {})
    finally:
        world.authority.publish(PACK)

    assert control.returncode == 0
    assert refused("claude", duty)
    assert b"obligation" in duty.stderr
    assert refused("claude", person)
    assert b"approval" in person.stderr
    assert {"duty unknown", "authority declines"} <= ROWS.keys()
