"""``sealgate mcp serve``: two servers of our own behind one endpoint, over real HTTP, with a real authority."""

import json
import socket

import pytest

from sealgate.adapters.identity.api_keys import ApiKeys

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
BOTH = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def define(name, *arguments, **more):
    """A definition."""
    schema = {"type": "object", "properties": {item: {"type": "string"} for item in arguments}}
    return {"name": name, "description": f"Does {name}.", "inputSchema": schema, **more}


def said(result):
    """The text of a tool's result."""
    return result["content"][0]["text"]


def streamed(answer):
    """The last message of a stream."""
    return json.loads(answer.text.rpartition("data: ")[2])


def greet(served):
    """Open a session; return its headers."""
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c"}}
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    answer = served.http.post(served.url, json=message)
    session = {"mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
    told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert served.http.post(served.url, json=told, headers=session).status_code == 202
    return session, answer.json()["result"]


def request(port, tool):
    """A call in the protocol without sessions, as the bytes of a client that may go away when it likes."""
    params = {"_meta": META, "name": tool, "arguments": {}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    version = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool}
    fields = {"host": f"127.0.0.1:{port}", "content-length": len(body), **BOTH, **version}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body


def test_names_that_clash_are_prefixed_in_both_protocols(served):
    """One list for both servers, private to the caller; each name reaches its own server."""
    running = served({"raw": [define("act", "a")], "other": [define("act", "a"), define("read", "path")]})
    listed = running.post("tools/list").json()["result"]
    session, greeting = greet(running)
    message = {"jsonrpc": "2.0", "id": 5, "method": "tools/list"}
    legacy = streamed(running.http.post(running.url, json=message, headers=session))["result"]

    assert sorted(item["name"] for item in listed["tools"]) == ["other___act", "raw___act", "read"]
    assert (listed["cacheScope"], listed["resultType"]) == ("private", "complete")
    assert sorted(item["name"] for item in legacy["tools"]) == ["other___act", "raw___act", "read"]
    assert "cacheScope" not in legacy
    assert greeting["serverInfo"]["name"] == "sealgate"
    assert json.loads(said(running.call("raw___act", {"a": "1"}))) == {"a": "1"}
    assert (len(running.received("raw")), len(running.received("other"))) == (1, 0)
    assert running.call("other___act", {"a": "1"})["isError"] is True  # the policy set knows no such action
    assert running.call("act", {"a": "1"})["isError"] is True
    assert len(running.received("other")) == 0


def test_headers_must_say_what_the_body_says(gate, served):
    """Missing or other: refused with HTTP 400, recorded, and nothing reaches a server."""
    schema = define("act")
    schema["inputSchema"]["properties"] = {"a": {"type": "string", "x-mcp-header": "Region"}}
    running = served({"raw": [schema, define("read", "path")]})
    asked = ("tools/call", {"name": "act", "arguments": {"a": "x"}})
    before = gate.metric_at_rest("sealgate_records_total")
    wrong = [
        running.post(*asked, mcp_name="read", mcp_param_region="x"),
        running.post(*asked, mcp_name=None, mcp_param_region="x"),
        running.post(*asked, mcp_method="tools/list", mcp_param_region="x"),
        running.post(*asked, mcp_protocol_version="2025-11-25", mcp_param_region="x"),
        running.post(*asked, mcp_param_region="y"),
        running.post(*asked),
    ]

    assert [answer.status_code for answer in wrong] == [400] * 6
    assert gate.counted("sealgate_records_total", before + 5) >= before + 5
    assert running.received("raw") == []
    assert running.call("act", {"a": "x"}, mcp_param_region="x")["isError"] is False  # positive control
    assert running.call("act", {"a": "ü"}, mcp_param_region="=?base64?w7w=?=")["isError"] is False


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"host": "evil.example"}, 403),
        ({"accept": "text/html"}, 406),
        ({"content-type": "text/plain"}, 415),
        ({"content-length": "99999999"}, 413),
        ({"mcp-session-id": "unknown"}, 404),
        ({"origin": "http://localhost:6274"}, 200),
    ],
)
def test_who_is_let_in(served, headers, status):
    """Other pages, rebound names, other media, long bodies, unknown sessions: refused; our own machine's pages: not."""
    running = served()
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    head = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list", **headers}
    if "content-length" in headers:
        answer = running.http.post(running.url, content=b" " * 5_000_000, headers=head | {"content-length": "5000000"})
    else:
        answer = running.http.post(running.url, json=message, headers=head)

    assert answer.status_code == status


def test_a_key_says_which_agent_acts(gate, served, tmp_path):
    """No key, a wrong one, another's agent: refused. What is recorded names the key's owner as the one acted for."""
    keys = ApiKeys(tmp_path / "keys.json")
    _, token = keys.add("ann", agents=["a1", "a2"], roles=["enforce"], created="2026-01-01T00:00:00Z")
    running = served(agent=None, api_keys=str(tmp_path / "keys.json"))

    assert running.post("tools/list").status_code == 401
    assert running.post("tools/list", authorization="Bearer nonsense").status_code == 401
    assert running.post("tools/list", authorization=f"Bearer {token}").status_code == 403
    assert running.post("tools/list", authorization=f"Bearer {token}", sealgate_agent="a3").status_code == 403
    proved = {"authorization": f"Bearer {token}", "sealgate_agent": "a2"}
    result = running.call("read", {"path": "/data/x"}, **proved)
    assert result["isError"] is False
    assert "authorization" not in json.dumps(running.received("raw"))
    refused = said(running.call("read", {"path": "/etc/passwd"}, **proved))
    receipt = gate.receipt(refused.rpartition("Record ")[2].rstrip("."))
    decision = json.loads(receipt["body"])
    assert decision["agent"]["id"] == "a2"
    assert "ann" in json.dumps(decision["agent"]) + json.dumps(decision.get("on_behalf_of", decision))


def test_a_client_that_goes_away_takes_its_call_with_it(gate, served):
    """The server is told, the permit is reported."""
    running = served()
    running.tell("raw", answers={"hang": "hang"})
    before = gate.metric_at_rest("sealgate_permits_reported_total")
    with socket.create_connection(("127.0.0.1", running.port)) as impatient:
        impatient.sendall(request(running.port, "hang"))
        running.awaited("raw")

    assert gate.counted("sealgate_permits_reported_total", before + 1) == before + 1
    assert len(running.awaited("raw", "notifications/cancelled")) == 1


def test_sessions_belong_to_their_caller_and_end(served):
    """After DELETE a session is unknown."""
    running = served()
    session, _ = greet(running)
    message = {"jsonrpc": "2.0", "id": 5, "method": "ping"}

    assert streamed(running.http.post(running.url, json=message, headers=session))["result"] == {}
    assert running.http.delete(running.url, headers=session).status_code == 200
    assert running.http.post(running.url, json=message, headers=session).status_code == 404
