"""What must not get through the MCP gateway: each attempt is refused, never reaches the server's work, and is recorded.

Before the real filesystem server: paths that lead elsewhere, refused by a policy; a link, refused by the server. Before
a server that a plan drives: names that look like another, arguments and methods given twice, definitions that changed,
tools that were renamed, added or offered twice. A decision is looked up by the receipt that the refusal names; what the
gateway refuses by itself is counted in the log. The well-formed call beside each attempt must pass.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from sealgate.demo.authority import Authority, run

Answer = dict[str, Any]
Ask = Callable[[str, dict[str, Any]], Answer]

_UPSTREAM: Final = Path(__file__).resolve().parents[1] / "tests" / "contract" / "gateway" / "upstream.py"
_PATIENCE_S: Final = 2.0
_RECORD: Final = re.compile(r"Record ([0-9a-f-]{36})\.")
POLICY: Final = """
@id("all") permit (principal, action, resource);
@id("inside") forbid (principal, action == Action::"read_text_file", resource) unless {
  context.input has path && context.normalized has path && context.normalized.path.ok
  && context.normalized.path.text like "WORKSPACE/*"
};
"""


def paths(workspace: str) -> dict[str, list[str]]:
    """Return kind → paths that lead out of the workspace, or that two readers could understand differently."""
    return {
        "traversal": [f"{workspace}/../secret.txt", f"{workspace}/a/../../secret.txt", f"{workspace}\\..\\secret.txt"],
        "percent": [
            f"{workspace}/%2e%2e/secret.txt",
            f"{workspace}/..%2fsecret.txt",
            f"{workspace}/%252e%252e/secret.txt",
        ],
        "nul": [f"{workspace}/a.txt\0", f"{workspace}/a.txt%00", f"{workspace}/\0/../secret.txt"],
        "elsewhere": [f"{workspace}-other/a.txt", "/etc/passwd", "//etc/passwd", "a.txt"],
    }


class Attempts:
    """Makes attempts and notes which of them got through or left no record."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self.figures: dict[str, Any] = {}
        self.missed: list[str] = []

    def records(self) -> float:
        """Return how many records the authority has, once the outcomes of the calls before are among them."""
        return self._authority.metric_at_rest("sealgate_records_total")

    def refuse(self, kind: str, what: str, ask: Callable[[], Answer], *, decided: bool) -> None:
        """Make one attempt. ``decided``: the authority refuses and the answer names its record."""
        before = self.records()
        answer = ask()
        said = json.dumps(answer.get("result", answer.get("error")))
        refused = "error" in answer or answer["result"].get("isError") is True
        found = self._found(said) if decided else self.grew(before, 1)
        done, recorded = self.figures.get(f"refused_{kind}", (0, 0))
        self.figures[f"refused_{kind}"] = (done + refused, recorded + found)
        if not refused:
            self.missed.append(f"{kind}: {what!r} was not refused")
        if not found:
            self.missed.append(f"{kind}: {what!r} left no record")

    def grew(self, before: float, by: int) -> bool:
        """Tell whether the log grows by exactly so many records; they may come just after the answer."""
        until = time.monotonic() + _PATIENCE_S
        after = self.records()
        while after < before + by and time.monotonic() < until:
            after = self.records()
        return after == before + by

    def _found(self, said: str) -> bool:
        named = _RECORD.search(said)
        return named is not None and bool(self._authority.receipt(named[1]))

    def pass_(self, what: str, answer: Answer) -> None:
        """Take the answer to the well-formed call beside the attempts."""
        self.figures["passed_controls"] = self.figures.get("passed_controls", 0) + 1
        if answer.get("result", {}).get("isError", "error" in answer):
            self.missed.append(f"control {what!r} did not pass: {json.dumps(answer)[:200]}")

    def expect(self, what: str, *, holds: bool) -> None:
        """Note what must hold besides."""
        if not holds:
            self.missed.append(what)


def on_paths(attempts: Attempts, ask: Ask, workspace: Path) -> None:
    """Try paths at the real filesystem server; ``workspace`` has `a.txt`, and `link.txt` to `secret.txt` outside."""

    def read(path: str) -> Answer:
        return ask("tools/call", {"name": "read_text_file", "arguments": {"path": path}})

    attempts.pass_("read", read(f"{workspace}/a.txt"))
    for kind, tried in paths(str(workspace)).items():
        for path in tried:
            attempts.refuse(kind, path, lambda path=path: read(path), decided=True)  # type: ignore[misc]
    before = attempts.records()
    linked = read(f"{workspace}/link.txt")
    refused = linked["result"]["isError"] is True and "of others" not in json.dumps(linked)
    recorded = attempts.grew(before, 2)  # the decision, and an outcome that says that it failed
    attempts.figures["refused_symlink"] = (int(refused), int(recorded))
    attempts.expect("symlink: the link was followed", holds=refused)
    attempts.expect("symlink: no decision and outcome", holds=recorded)
    attempts.pass_("read", read(f"{workspace}/a.txt"))


def _define(name: str, **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    return {"name": name, "description": f"Does {name}.", "inputSchema": schema, **more}


TOOLS: Final = [_define("act"), _define("hy-phen"), _define("read")]


class Planned:
    """The server that a plan drives: what it offers, and what reached it."""

    def __init__(self, folder: Path) -> None:
        self._notes, self._plan = folder / "planned.notes", folder / "planned.json"
        self._notes.touch()
        self.offer(TOOLS)

    @property
    def command(self) -> Sequence[str | Path]:
        """How it is started."""
        return [sys.executable, _UPSTREAM, self._notes, self._plan]

    def offer(self, tools: Sequence[Any]) -> None:
        """Change what it offers."""
        self._plan.write_text(json.dumps({"tools": tools, "answers": {}}))

    def calls(self) -> int:
        """Return how many calls reached it."""
        return sum(json.loads(line).get("method") == "tools/call" for line in self._notes.read_text().splitlines())


def on_names(attempts: Attempts, planned: Planned, ask: Ask, send_raw: Callable[[bytes], Answer]) -> None:
    """Try names and members that could be taken for others."""

    def call(name: str) -> Answer:
        return ask("tools/call", {"name": name, "arguments": {"a": "1"}})

    def raw(params: bytes) -> Answer:
        return send_raw(b'{"jsonrpc":"2.0","id":"raw","method":"tools/call","params":' + params + b"}")

    before = planned.calls()
    attempts.pass_("hy-phen", call("hy-phen"))
    for name in ("hy_phen", "hyphen", "hy\u2010phen", "Act", "act ", "act\0", "\u0430ct", "planned___act"):
        attempts.refuse("hyphenated_names", name, lambda name=name: call(name), decided=False)  # type: ignore[misc]
    attempts.pass_("act", raw(b'{"name":"act","arguments":{"a":"x"}}'))
    for params in (
        b'{"name":"hy-phen","name":"act","arguments":{}}',
        b'{"name":"act","arguments":{"a":"x","a":"y"}}',
        b'{"name":"act","arguments":{"a":"x","\\u0061":"y"}}',
    ):
        attempts.refuse("duplicate_names", params.decode(), lambda params=params: raw(params), decided=False)  # type: ignore[misc]
    attempts.expect("names: a refused call reached the server", holds=planned.calls() == before + 2)


def on_definitions(attempts: Attempts, planned: Planned, ask: Ask, pins: Path) -> None:
    """Change what the server offers: nothing but what was approved can be used."""

    def call(name: str) -> Answer:
        return ask("tools/call", {"name": name, "arguments": {"a": "1"}})

    attempts.pass_("act", call("act"))
    before = planned.calls()
    changed = _define("act", annotations={"readOnlyHint": True})
    new = [_define("fresh"), _define("twice"), _define("twice")]
    planned.offer([changed, TOOLS[1], {**TOOLS[2], "name": "raed"}, *new])
    shown = {item["name"] for item in ask("tools/list", {})["result"]["tools"]}
    attempts.expect("redefined: a quarantined tool is shown", holds=shown == {"hy-phen"})
    for name in ("act", "raed", "fresh", "twice"):
        attempts.refuse("redefined_tools", name, lambda name=name: call(name), decided=False)  # type: ignore[misc]
    attempts.expect("redefined: a quarantined tool was called", holds=planned.calls() == before)
    attempts.pass_("hy-phen", call("hy-phen"))
    # Approved by a person here, it is still not the definition that the policy was published with.
    run("mcp", "approve", "planned", "act", "--pins", pins)
    attempts.refuse("redefined_tools", "act, approved but not published", lambda: call("act"), decided=True)
    planned.offer(TOOLS)
    ask("tools/list", {})
    run("mcp", "approve", "planned", "--all", "--pins", pins)
    attempts.pass_("act", call("act"))
