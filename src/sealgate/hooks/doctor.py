"""Does the installed hook block? And what does this host let escape, whatever hook is installed?

The canary is a call that no policy permits, made through the very command that stands in the settings file. A refusal
that rests on a decision of the authority is the only good answer.
"""

import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sealgate.hooks import canaries, codex, install, settings
from sealgate.hooks.events import EVENTS
from sealgate.hooks.settings import SELF_TIMEOUT_S

State = Literal["good", "warning", "bad"]

VERIFIED: Final = {"claude": "2.1.329", "codex": "0.169.0", "gemini": "0.61.0", "copilot": "1.0.102"}
"""The version of each host that the benchmark `hooks` drives. Cursor: none, it was never driven."""

LOST_WORDS: Final = "a refusal whose words do not arrive, and a hook killed with its shell, count for nothing"

ESCAPES: Final[dict[str, tuple[str, ...]]] = {
    "claude": (
        "settings of user and project can be edited by the agent; only managed ones (`allowManagedHooksOnly`) cannot",
        "`disableAllHooks`, `--bare` or another settings folder start it without the hook",
        "a command line of the user (`!`), and what an MCP server does by itself, are no tool calls",
    ),
    "codex": (
        "a hook that was not trusted is skipped silently: trust it with `/hooks`, and again after each change",
        "`write_stdin` into a shell that already runs does not fire the hook",
        "an answer `ask` runs the tool, so we never give it",
        "tools that run at the provider (web search) never reach a hook",
        LOST_WORDS,
    ),
    "gemini": (
        LOST_WORDS,
        "a hook that outlasts the host's timeout is ignored; ours refuses by itself long before",
        "project settings count only in trusted folders, and can be edited by the agent",
        "calls have no id, so equal calls that run at once may swap their outcomes",
    ),
    "copilot": (
        "a hook that outlasts the host's timeout is ignored; ours refuses by itself long before",
        "versions before 1.0.102 did not call the hook for sub-agents",
        "hooks in `.github/hooks` can be edited by the agent",
        "calls have no id, so equal calls that run at once may swap their outcomes",
    ),
    "cursor": (
        "nothing here was verified on the real program; without `failClosed` it runs the tool when a hook fails",
        "others report that `ask` may run the tool (we never give it) and that an empty answer may refuse it",
        "project hooks can be edited by the agent",
    ),
}
"""What no hook of ours can prevent on this host."""

COMMON: Final = (
    "a program of the same user can remove the hook or answer in the daemon's place, unless both are another user's",
)


_BY_DECISION: Final = re.compile(r"sealgate: (DENY|SILENCE) for |sealgate: this needs a person's approval")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    state: State
    text: str


def examine(host: str, environ: Mapping[str, str], project: Path) -> list[Finding]:
    """Return what is found, the canary call first."""
    places: list[tuple[install.Scope, Path, dict[str, str]]] = []
    for scope in ("user", "project", "managed"):
        if scope == "managed" and host in ("codex", "copilot"):
            continue
        path = install.settings_file(host, scope, environ, project)
        if commands := install.installed_commands(path):
            places.append((scope, path, commands))
    if not places:
        return [Finding("bad", f"no hook of ours is installed for `{host}`")]
    findings = []
    for scope, path, commands in places:
        findings.append(Finding("good", f"installed in {path} ({scope})"))
        findings += _complete(host, commands)
        findings += [_canary(host, commands), *_complete_command(host, commands)]
        findings += _trusted(host, commands, environ, project)
        if scope != "managed" and os.access(path, os.W_OK):
            findings.append(Finding("warning", f"{path} can be changed by this user, so by the agent too"))
    if len(places) > 1:
        findings.append(Finding("warning", "installed more than once: every call is decided more than once"))
    return [*findings, *_version(host, environ)]


def escapes(host: str) -> tuple[str, ...]:
    """Return what this host lets escape."""
    return (*ESCAPES[host], *COMMON)


def _complete(host: str, commands: dict[str, str]) -> list[Finding]:
    missing = [name for name, phase in EVENTS[host].items() if phase == "before" and name not in commands]
    return [Finding("bad", f"the event `{name}` has no hook") for name in missing]


def _first_before(host: str, commands: dict[str, str]) -> tuple[str, str]:
    name = next(name for name, phase in EVENTS[host].items() if phase == "before")
    return name, commands.get(name, "exit 0")


def _canary(host: str, commands: dict[str, str]) -> Finding:
    _, command = _first_before(host, commands)
    data = canaries.event(host, canaries.CANARY, {})
    if command.startswith("http://"):
        return _http_canary(command, data)
    try:
        done = run(command, data)
    except subprocess.TimeoutExpired:
        return Finding("bad", "the canary call got no answer in time")
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    if not blocks(host, done):
        return Finding("bad", f"the canary call was NOT blocked (status {done.returncode})")
    if not _BY_DECISION.search(said):
        return Finding("bad", f"the canary call was blocked, but not by a decision: {said.strip()[:300]}")
    return Finding("good", "the canary call was blocked by a decision")


def _http_canary(address: str, data: bytes) -> Finding:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data=data), timeout=SELF_TIMEOUT_S) as answer:  # noqa: S310  # our own address
            said = answer.read(65536)
    except OSError as error:
        return Finding("bad", f"the daemon does not answer on its port: {error}")
    if b'"deny"' not in said or not _BY_DECISION.search(said.decode("utf-8", "replace")):
        return Finding("bad", f"the canary call was not refused by a decision: {said[:200]!r}")
    return Finding("good", "the canary call was blocked by a decision")


def _complete_command(host: str, commands: dict[str, str]) -> list[Finding]:
    """Look at the command itself: is it ours of now, is all of it there, does it refuse without the program?"""
    _, command = _first_before(host, commands)
    if command.startswith("http://"):
        return [Finding("good", "an unreachable daemon is left to the host, which was told to block")]
    if not settings.is_current(command):
        return [Finding("bad", f"the command is not one that this version writes: sealgate hook install {host}")]
    gone = [path for path in settings.files(command) if not Path(path).exists()]
    findings = [Finding("bad", f"the command needs {path}, which is gone") for path in gone]
    status = run(settings.without_program(command), b"{}").returncode
    if status != 2:
        findings.append(Finding("bad", f"without the hook program the command ends with status {status}"))
    return findings or [Finding("good", "without the hook program the command still refuses")]


def _trusted(host: str, commands: dict[str, str], environ: Mapping[str, str], project: Path) -> list[Finding]:
    """Ask Codex whether it runs the hook at all."""
    binary = shutil.which("codex", path=environ.get("PATH"))
    if host != "codex" or binary is None:
        return []
    skipped = codex.skipped(binary, environ, project, commands)
    if skipped is None:
        return [Finding("warning", "codex does not say whether it runs this hook: look at /hooks in it")]
    if skipped:
        return [Finding("bad", f"codex SKIPS {', '.join(skipped)}: start it once and trust the hook with /hooks")]
    return [Finding("good", "codex says that it runs this hook")]


def run(command: str, data: bytes) -> "subprocess.CompletedProcess[bytes]":
    """Run a hook's command as hosts do."""
    return subprocess.run(  # noqa: S603  # the command that the host runs too
        ["/bin/sh", "-c", command], input=data, capture_output=True, timeout=SELF_TIMEOUT_S + 10, check=False
    )


def blocks(host: str, done: "subprocess.CompletedProcess[bytes]") -> bool:
    """Tell whether the host takes this for a refusal: the rules of section "outputs" of the reference."""
    if host == "copilot" and done.returncode == 0:
        return b'"permissionDecision":"deny"' in done.stdout
    return done.returncode == 2


def _version(host: str, environ: Mapping[str, str]) -> list[Finding]:
    binary = shutil.which("cursor-agent" if host == "cursor" else host, path=environ.get("PATH"))
    if binary is None:
        return [Finding("warning", f"`{host}` is not on the search path, so its version is not known")]
    if host not in VERIFIED:
        return [Finding("warning", "no version of this host was ever verified")]
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603  # the host itself
    except (OSError, subprocess.TimeoutExpired):
        return [Finding("warning", f"`{binary} --version` does not answer")]
    if VERIFIED[host] in done.stdout:
        return [Finding("good", f"version {VERIFIED[host]}, the one that was verified")]
    return [Finding("warning", f"version {done.stdout.strip()[:60]}; verified was {VERIFIED[host]}")]
