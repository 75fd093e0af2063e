"""The real coding agents, each with a home of its own, driven without a network against a scripted model."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[1]
_TIMEOUT_S: Final = 90.0


def folder() -> Path:
    """Return where `scripts/hook-hosts` put them (``SEALGATE_HOOK_HOSTS`` names another place)."""
    named = os.environ.get("SEALGATE_HOOK_HOSTS")
    return Path(named) if named else _ROOT / "build" / "hook-hosts"


@dataclass(frozen=True, slots=True)
class Host:
    """How to start one of them so that it asks the scripted model and runs what it says."""

    name: str
    arguments: tuple[str, ...]
    variables: Callable[[str], dict[str, str]]
    prepare: Callable[[Path, str], None] = lambda home, url: None  # noqa: ARG005  # most need nothing

    def program(self) -> Path:
        """Return its program."""
        return folder() / "node_modules" / ".bin" / self.name

    def run(self, home: Path, workspace: Path, url: str) -> "subprocess.CompletedProcess[str]":
        """Let it do what the model says."""
        node = next(iter(sorted((folder() / "node_modules").glob("node-linux-*/bin"))), Path("/usr/bin"))
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        return subprocess.run(
            [self.program(), *self.arguments],
            env={**kept, "HOME": str(home), "PATH": f"{node}:/usr/bin:/bin", **self.variables(url)},
            cwd=workspace,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )


def _codex(home: Path, url: str) -> None:
    settings = f"""\
model = "scripted"
model_provider = "scripted"
approval_policy = "never"
sandbox_mode = "danger-full-access"

[model_providers.scripted]
name = "scripted"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
request_max_retries = 0
stream_max_retries = 0
supports_websockets = false
"""
    (home / ".codex").mkdir(exist_ok=True)
    (home / ".codex" / "config.toml").write_text(settings, "utf-8")


def _gemini(home: Path, url: str) -> None:
    del url
    (home / ".gemini").mkdir(exist_ok=True)
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},  # its reports would wait for a network that is not there
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    }
    (home / ".gemini" / "settings.json").write_text(json.dumps(settings), "utf-8")


_ASK: Final = "do it"

HOSTS: Final = (
    Host(
        "claude",
        ("-p", _ASK, "--allowedTools", "Bash", "--model", "claude-sonnet-4-5"),
        lambda url: {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "scripted",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        },
    ),
    Host(
        "codex",
        (
            "exec",
            "--skip-git-repo-check",
            "--dangerously-bypass-hook-trust",
            "--dangerously-bypass-approvals-and-sandbox",
            _ASK,
        ),
        lambda _: {"SCRIPTED_KEY": "scripted"},
        _codex,
    ),
    Host(
        "gemini",
        ("--approval-mode", "yolo", "--skip-trust", "--model", "gemini-2.5-flash", "-p", _ASK),
        lambda url: {
            "GEMINI_API_KEY": "scripted",
            "GOOGLE_GEMINI_BASE_URL": url,
            "GEMINI_TELEMETRY_ENABLED": "false",
            "GEMINI_CLI_NO_RELAUNCH": "true",
        },
        _gemini,
    ),
    Host(
        "copilot",
        ("-p", _ASK, "--allow-all-tools", "--no-auto-update"),
        lambda url: {
            "COPILOT_OFFLINE": "true",
            "COPILOT_PROVIDER_TYPE": "anthropic",
            "COPILOT_PROVIDER_BASE_URL": url,
            "COPILOT_PROVIDER_API_KEY": "scripted",
            "COPILOT_MODEL": "claude-sonnet-4-5",
        },
    ),
)
