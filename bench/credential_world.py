"""A real authority in a process of its own with two credentials: a PostgreSQL role `db` and a token `orders`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import postgres_server
from bench.postgres_server import PostgresServer
from sealgate.demo.authority import Authority
from sealgate.sdk.transport import Call, UnixTransport

AUDIENCE = "https://orders.example"
TOOL = {"name": "read_orders", "inputSchema": {"type": "object", "properties": {"since": {"type": "integer"}}}}
POLICY = """
@id("read-orders") @obligation("credential:db credential:orders")
permit (principal, action == Action::"read_orders", resource);
"""


def ask(socket: Path, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Exchange one request over the authority's socket; return status and JSON."""
    transport = UnixTransport(socket, 60.0)
    try:
        answer = transport.send(Call(method, path, b"" if body is None else json.dumps(body).encode()))
    finally:
        transport.close()
    return answer.status, json.loads(answer.body)


def permit(socket: Path, agent: str, number: int, task: str | None = None) -> Any:
    """Ask for a redeemed PERMIT, in a task if one is named; return the answer's context."""
    question = {
        "subject": {"type": "agent", "id": agent},
        "action": {"name": "read_orders"},
        "resource": {"type": "tool_server", "id": "shop"},
        "context": {"input": {"since": number}, "redeem": True} | ({"task": {"id": task}} if task else {}),
    }
    answer = ask(socket, "POST", "/access/v1/evaluation", question)[1]
    if not answer.get("decision"):
        raise RuntimeError(f"not a permit: {answer}")
    return answer["context"]


def credential(socket: Path, decision_id: str, name: str) -> Any:
    """Ask for a credential; return the answer."""
    status, answer = ask(socket, "POST", "/v1/credentials", {"decision_id": decision_id, "name": name})
    if status != 200:
        raise RuntimeError(str(answer))
    return answer


@contextmanager
def world(folder: Path, serve: type[Authority] = Authority) -> Iterator[tuple[Authority, PostgresServer]]:
    """Run both until the block ends."""
    with postgres_server.server() as database:
        authority = serve(folder / "data")
        _configure(authority, folder, database)
        with authority:
            authority.publish(folder / "policy")
            yield authority, database


def _configure(authority: Authority, folder: Path, database: PostgresServer) -> None:
    from sealgate.demo.authority import run  # noqa: PLC0415  # the name is taken by benchmarks

    # A disk that stands still for longer than a decision's usual deadline is not what is looked at here.
    run("init", authority.folder, *authority.INIT_OPTIONS, "--set", "decisions.deadline_ms=60000")
    (folder / "policy" / "policies").mkdir(parents=True)
    (folder / "policy" / "tools").mkdir()
    (folder / "policy" / "policies" / "orders.cedar").write_text(POLICY)
    (folder / "policy" / "tools" / "shop.json").write_text(json.dumps({"server": "shop", "tools": [TOOL]}))
    password = authority.folder / "keys" / "database"
    password.write_text(postgres_server.PASSWORD)
    password.chmod(0o600)
    with authority.configuration.open("a") as file:
        file.write(f"""
[[credential]]
name = "db"
kind = "postgres"
address = "{database.folder}:{postgres_server.PORT}"
database = "shop"
user = "{postgres_server.ADMIN}"
secret = "file:keys/database"
tls = "off"
grants = ["select on table public.orders"]

[[credential]]
name = "orders"
kind = "jwt"
audiences = ["{AUDIENCE}"]
""")
