"""One world for all frameworks: a real authority, five tools, and a record of every body that ran."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sealgate.demo.authority import Authority
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
"""
_ASKED: Final = '@id("wire-asked") @require_approval("treasurer:1") '
_WIRE: Final = 'permit (principal, action == Action::"wire", resource) when { context.input.amount <= 1000 };'
AGENT: Final = "helper"


class World:
    """A running authority with the policies of this module."""

    def __init__(self, authority: Authority, folder: Path) -> None:
        self.authority = authority
        self._folder = folder
        spool = folder / "spool"
        self.client = Client(agent=AGENT, socket=authority.socket, spool=spool, timeout_s=10)
        self._nobody = Client(agent=AGENT, socket=folder / "nobody.sock", spool=folder / "none", timeout_s=0.5)
        self.publish(approved=False)

    def publish(self, *, approved: bool) -> None:
        """Put the policies in force; ``approved``: what needed a person's approval has it."""
        rules = self._folder / ("approved" if approved else "asked")
        (rules / "policies").mkdir(parents=True, exist_ok=True)
        (rules / "tools").mkdir(exist_ok=True)
        (rules / "tools" / "local.json").write_text(json.dumps({"server": "local", "tools": TOOLS}))
        (rules / "policies" / "all.cedar").write_text(_POLICIES + ("" if approved else _ASKED) + _WIRE)
        self.authority.publish(rules)

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
    with Authority(folder / "a") as authority:
        running = World(authority, folder)
        try:
            yield running
        finally:
            running.close()


def is_permitted(tool: str, arguments: dict[str, Any], *, approved: bool = False) -> bool:
    """Tell, independently of the gate, whether a body may have run with these arguments."""
    if tool == "pay":
        return bool(arguments["amount"] <= 100 and arguments["to"] != "mallory")
    if tool == "tip":
        return bool(arguments["amount"] <= 50)
    if tool == "note":
        return bool(arguments["card"] == "[redacted]")
    if tool == "wire":
        return bool(approved and arguments["amount"] <= 1000)
    return False


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

    def unpermitted(self, *, approved: bool = False) -> list[tuple[str, dict[str, Any]]]:
        """Return the bodies that ran although they should not."""
        return [entry for entry in self.ran if not is_permitted(*entry, approved=approved)]
