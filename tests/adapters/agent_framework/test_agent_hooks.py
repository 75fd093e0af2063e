"""AGENT-HOOKS-0.1: the contract's own conformance kit with our interceptor in the chain, and its reference host."""

import asyncio
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import pytest
from agent_hooks import EnforcementMode
from agent_hooks.ctk import Scenario, load_vectors, run_vector
from agent_hooks.ctk.reference import ReferenceHarness

from bench.frameworks.approvals import new_call
from sealgate.demo.authority import Authority
from sealgate.integrations.agent_framework import Interceptor, Resolver
from sealgate.integrations.core import Gate
from sealgate.sdk import Client

OTHERS: Final = {
    "AH-CTK-061": "its host has no interceptor",
    "AH-CTK-101": "its host has no interceptor",
    "AH-CTK-095": "arguments get a number without an exact form, and ours refuses before the host does",
}
"""Vectors that no host with our interceptor can pass, and why."""

VECTORS = [vector for vector in load_vectors() if "host_declaration" not in vector and vector["id"] not in OTHERS]
KIT_TOOLS = ("calculator", "delete_files", "http_get", "wire_transfer")


class Host(ReferenceHarness):
    """The kit's own host, with ours behind the interceptors of the vector."""

    def __init__(self, gate):
        super().__init__()
        self._gate = gate

    def setup(self, scenario, interceptors, *args, **kwargs):
        """Add ours."""
        super().setup(scenario, [*interceptors, Interceptor(self._gate)], *args, **kwargs)


@pytest.fixture(scope="module", name="permissive")
def _permissive():
    """A gate whose policies permit the kit's tools, so that what a vector expects is the contract's doing."""
    with tempfile.TemporaryDirectory(prefix="sg-") as folder, Authority(Path(folder) / "a") as authority:
        rules = Path(folder) / "rules"
        (rules / "policies").mkdir(parents=True)
        (rules / "tools").mkdir()
        properties = {key: {"type": "string"} for key in ("expr", "path", "url")}
        properties |= {key: {"type": "integer"} for key in ("amount", "id")}
        schema = {"type": "object", "properties": properties}
        tools = [{"name": name, "inputSchema": schema} for name in KIT_TOOLS]
        (rules / "tools" / "kit.json").write_text(json.dumps({"server": "kit", "tools": tools}))
        (rules / "policies" / "all.cedar").write_text("permit (principal, action, resource);")
        authority.publish(rules)
        client = Client(agent="kit", socket=authority.socket, spool=Path(folder) / "spool", timeout_s=30)
        yield Gate(client)
        client.close()


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_the_conformance_kit(permissive, vector):
    """Every vector of the kit comes out as the contract says, ours among the interceptors."""
    result = asyncio.run(run_vector(Host(permissive), vector))
    if result.status == "skip":
        pytest.skip(result.detail)
    assert result.status == "pass", result.failures


def test_the_kit_notices_a_gate_that_refuses(world):
    """The same host with ours asking nobody fails the kit's first vector: ours is in the chain."""
    assert asyncio.run(run_vector(Host(world.gate_down()), VECTORS[0])).status == "fail"


def drive(interceptor, call, resolver=None):
    """Let the reference host make one call; return the arguments its tool ran with, and the records."""
    tool, arguments = call
    wire = {
        "input": {"content": "go", "role": "user"},
        "tools": [{"name": tool, "behavior": [{"return": "done"}]}],
        "model_script": [
            {
                "respond": {
                    "content": None,
                    "tool_calls": [{"id": "c1", "name": tool, "args": arguments}],
                    "finish_reason": "tool_calls",
                }
            },
            {"respond": {"content": "end", "tool_calls": [], "finish_reason": "stop"}},
        ],
    }
    host = ReferenceHarness()
    host.setup(Scenario.from_wire(wire), [interceptor], resolver, EnforcementMode.ENFORCE)
    record = asyncio.run(host.run())
    return [item["args"] for item in record.tool_invocations], json.dumps(record.records)


@pytest.mark.parametrize(
    ("call", "ran", "told"),
    [
        (("pay", {"to": "bob", "amount": 5}), [{"to": "bob", "amount": 5}], ""),
        (("pay", {"to": "mallory", "amount": 5}), [], "never-mallory"),
        (("tip", {"to": "bob", "amount": 80}), [{"to": "bob", "amount": 50}], "transform"),
    ],
)
def test_permit_deny_and_rewrite_in_the_reference_host(world, call, ran, told):
    """The host runs what was permitted, with what was judged, and is told why not."""
    invoked, records = drive(Interceptor(world.gate()), call)
    assert invoked == ran
    assert told in records


def test_no_authority_is_a_denial(world):
    """A gate that nobody answers denies in the contract's form."""
    invoked, records = drive(Interceptor(world.gate_down()), ("pay", {"to": "bob", "amount": 5}))
    assert invoked == []
    assert "no permission could be had" in records


class YesMan:
    """A host's resolver that approves whatever it is asked."""

    def resolve(self, request):
        """Approve."""
        from agent_hooks import ApprovalOutcome, ApprovalResolution, Verdict

        return ApprovalResolution(ApprovalOutcome.APPROVE, request.context_identity, Verdict.allow())


def test_the_hosts_own_resolver_lifts_nothing(world):
    """A call that a person must approve is a final denial, which no resolver of the host is asked about."""
    assert drive(Interceptor(world.gate()), new_call(), YesMan())[0] == []


@pytest.mark.parametrize("grant", [True, False, None])
def test_our_resolver_waits_for_people(world, grant):
    """With our resolver the host pauses; granted, the call runs; refused or unanswered, it does not."""
    gate, call = world.gate(), new_call()

    def answer():
        until = time.monotonic() + 45
        while call[1] not in [json.loads(one["arguments"]) for one in world.waiting()] and time.monotonic() < until:
            time.sleep(0.05)
        world.answer(call, grant=grant)

    person = threading.Thread(target=answer)
    if grant is not None:
        person.start()
    invoked, _ = drive(Interceptor(gate, liftable=True), call, Resolver(gate, wait_s=0.2 if grant is None else 60.0))
    if grant is not None:
        person.join()
    assert invoked == ([call[1]] if grant else [])
    assert drive(Interceptor(gate, liftable=True), call, Resolver(gate, wait_s=0.1))[0] == []
