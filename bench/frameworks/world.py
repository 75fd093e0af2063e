"""One world for all frameworks: a real authority, a person who approves, tools, and a record of every body that ran."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from sealgate.demo.authority import Authority
from sealgate.demo.authority import run as command
from sealgate.integrations.core import Gate
from sealgate.sdk import Client

_TEXT: Final = {"type": "string"}
_WHOLE: Final = {"type": "integer"}


def _tool(name: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": name, "inputSchema": schema}


def _delegate() -> dict[str, Any]:
    """The tool behind which a sub-agent stands; frameworks call its argument differently."""
    names = ("request", "input", "task", "context", "coworker")
    schema = {"type": "object", "properties": dict.fromkeys(names, _TEXT)}
    return {"name": "delegate", "description": "delegate", "inputSchema": schema}


TOOLS: Final = [
    _tool("pay", to=_TEXT, amount=_WHOLE),
    _tool("tip", to=_TEXT, amount=_WHOLE),
    _tool("note", text=_TEXT, card=_TEXT),
    _tool("wire", to=_TEXT, amount=_WHOLE),
    _delegate(),
    _tool("transfer_to_agent", agent_name=_TEXT),
    _tool("handoff_free"),
    _tool("handoff", to_agent=_TEXT, reason=_TEXT),
    _tool("Agent", description=_TEXT, prompt=_TEXT, subagent_type=_TEXT),
]
_POLICIES: Final = """
@id("pay-small") permit (principal, action == Action::"pay", resource) when { context.input.amount <= 100 };
@id("never-mallory") forbid (principal, action == Action::"pay", resource) when { context.input.to == "mallory" };
@id("tip-capped") @obligation("cap:amount=50") permit (principal, action == Action::"tip", resource);
@id("note-redacted") @obligation("redact:card") permit (principal, action == Action::"note", resource);
@id("delegate-freely") permit (principal, action == Action::"delegate", resource);
@id("handoff-freely") permit (principal, action in [Action::"handoff", Action::"handoff_free"], resource);
@id("agent-freely") permit (principal, action == Action::"Agent", resource);
@id("transfer-freely") permit (principal, action == Action::"transfer_to_agent", resource);
@id("wire-asked") @require_approval("treasurer:1") permit (principal, action == Action::"wire", resource);
"""
AGENT: Final = "helper"
TREASURER: Final = "alice"


class World:
    """A running authority with the policies of this module, and the treasurer's key to it."""

    def __init__(self, authority: Authority, folder: Path, treasurers_key: str) -> None:
        self.authority = authority
        self._key = treasurers_key
        spool = folder / "spool"
        self.client = Client(agent=AGENT, socket=authority.socket, spool=spool, timeout_s=10)
        self._nobody = Client(agent=AGENT, socket=folder / "nobody.sock", spool=folder / "none", timeout_s=0.5)
        rules = folder / "rules"
        (rules / "policies").mkdir(parents=True)
        (rules / "tools").mkdir()
        (rules / "tools" / "local.json").write_text(json.dumps({"server": "local", "tools": TOOLS}))
        (rules / "policies" / "all.cedar").write_text(_POLICIES)
        authority.publish(rules)

    def waiting(self) -> list[dict[str, Any]]:
        """Return the approvals that wait, as the treasurer sees them."""
        status, body = self.authority.get("/v1/approvals?state=requested", key=self._key)
        if status != HTTPStatus.OK:
            raise RuntimeError(f"the treasurer may not look: {status} {body!r}")
        found: list[dict[str, Any]] = json.loads(body)["approvals"]
        return found

    def answer(self, call: tuple[str, dict[str, Any]], *, grant: bool) -> None:
        """Have the treasurer, who is not who asks, answer the one request that waits for exactly this call."""
        asked = [one for one in self.waiting() if (one["tool"], json.loads(one["arguments"])) == call]
        if len(asked) != 1:
            raise RuntimeError(f"{len(asked)} requests wait for {call}")
        way = "grant" if grant else "refuse"
        path, why = f"/v1/approvals/{asked[0]['id']}/{way}", {"reason": "invoice 17"}
        own, _ = self.authority.post(path, why)
        if own != HTTPStatus.FORBIDDEN:
            raise RuntimeError(f"the agent's own user could answer: {own}")
        status, body = self.authority.post(path, why, key=self._key)
        if status != HTTPStatus.OK:
            raise RuntimeError(f"the treasurer could not answer: {status} {body!r}")

    def gate(self, **options: Any) -> Gate:
        """Return a gate that asks the authority."""
        return Gate(self.client, **options)

    def gate_down(self) -> Gate:
        """Return a gate whose authority is not there."""
        return Gate(self._nobody)

    def close(self) -> None:
        """Close the connections."""
        asyncio.run(self.client.core.aclose())
        asyncio.run(self._nobody.core.aclose())


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Start the authority below ``folder``; stop it at the end."""
    authority = Authority(folder / "a")
    command("init", authority.folder, *Authority.INIT_OPTIONS)
    text = authority.configuration.read_text("utf-8")
    text = text.replace("[approvals]\n", "[approvals]\nprompts_per_hour = 100000\n", 1)
    text += f'\n[[approver]]\nprincipal = "{TREASURER}"\nroles = ["treasurer"]\n'
    authority.configuration.write_text(text, "utf-8")
    said = command("keys", "api", "add", TREASURER, "--config", authority.configuration)
    key = next(word for word in said.split() if word.startswith("sg_"))
    with authority:
        running = World(authority, folder, key)
        try:
            yield running
        finally:
            running.close()


def is_permitted(tool: str, arguments: dict[str, Any]) -> bool:
    """Tell, independently of the gate, whether a body may have run with these arguments and nobody's approval."""
    if tool == "pay":
        return bool(arguments["amount"] <= 100 and arguments["to"] != "mallory")
    if tool == "tip":
        return bool(arguments["amount"] <= 50)
    return bool(tool == "note" and arguments["card"] == "[redacted]")


class Bodies:
    """The tools' bodies. They do nothing but note that they ran, and with what."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, dict[str, Any]]] = []
        self._lock = threading.Lock()

    def _note(self, tool: str, **arguments: Any) -> str:
        with self._lock:
            self.ran.append((tool, arguments))
        return f"{tool} done"

    def functions(self) -> dict[str, Callable[..., str]]:
        """Return the bodies as plain functions with types and docstrings, as frameworks want them."""

        def pay(to: str, amount: int) -> str:
            """Pay somebody.

            Args:
                to: whom
                amount: how much
            """
            return self._note("pay", to=to, amount=amount)

        def tip(to: str, amount: int) -> str:
            """Tip somebody.

            Args:
                to: whom
                amount: how much
            """
            return self._note("tip", to=to, amount=amount)

        def note(text: str, card: str) -> str:
            """Note something.

            Args:
                text: what
                card: number of a card
            """
            return self._note("note", text=text, card=card)

        def wire(to: str, amount: int) -> str:
            """Wire money.

            Args:
                to: whom
                amount: how much
            """
            return self._note("wire", to=to, amount=amount)

        return {body.__name__: body for body in (pay, tip, note, wire)}

    def unpermitted(self, *, approved: Sequence[tuple[str, dict[str, Any]]] = ()) -> list[tuple[str, dict[str, Any]]]:
        """Return the bodies that ran although they should not; each of ``approved`` may have run once."""
        left = list(approved)
        found = []
        for entry in self.ran:
            if entry in left:
                left.remove(entry)
            elif not is_permitted(*entry):
                found.append(entry)
        return found
