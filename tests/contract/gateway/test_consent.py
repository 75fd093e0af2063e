"""Approvals through the gateway against a real authority with people: both protocols, restarts, replays."""

import concurrent.futures
import json
import re
import time

import pytest

from sealgate.adapters.identity.api_keys import ApiKeys

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
CAN_ASK = {"_meta": META | {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}}
CANNOT = {"_meta": META | {"io.modelcontextprotocol/clientCapabilities": {}}}
ONLY_LINKS = {"_meta": META | {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}}}}
PAY = {"to": "bob", "amount": "5"}
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def said(result):
    """The text of a tool's result."""
    return result["content"][0]["text"]


def ticket(text):
    """The ticket that a text names: a refusal's, or a question's."""
    return re.search(rf"(?:Ticket|grant|Approval) ({UUID})", text)[1]


def question(result):
    """The message of the one elicitation in a result."""
    (asked,) = result["inputRequests"].values()
    assert asked["method"] == "elicitation/create"
    return asked["params"]["message"]


def answered(result, action="accept", **more):
    """The parameters of the retry of a call that asked for input."""
    (key,) = result["inputRequests"]
    return {"inputResponses": {key: {"action": action}}, "requestState": result["requestState"], **more}


@pytest.fixture(name="server")
def _server(people, wrapped):
    """The gateway before the raw server; nobody is trusted to ask."""
    return wrapped(socket=people.authority.socket, tools=people.TOOLS)


# Out of band


@pytest.mark.parametrize("modern", [False, True])
def test_a_ticket_is_granted_by_somebody_else_and_the_same_call_runs_once(people, server, modern):
    """The refusal names ticket and role; nothing runs before, another call not after, the same call once."""
    extra = CANNOT if modern else {}
    if not modern:
        server.greet()
    pay = {"to": f"out of band {modern}", "amount": "5"}
    refused = server.call("pay", pay, **extra)
    known = ticket(said(refused))

    assert refused["isError"] is True
    assert "1 of role manager" in said(refused)
    assert ticket(said(server.call("pay", pay, **extra))) == known  # asking again asks nobody again
    assert server.received() == []
    assert people.answer(known, key="") == 403  # who asked cannot grant: the gateway's own user
    assert json.loads(people.shown(known)["arguments"]) == pay
    assert people.answer(known) == 200
    assert ticket(said(server.call("pay", {**pay, "amount": "6"}, **extra))) != known
    ran = server.call("pay", pay, **extra)
    assert (ran["isError"], json.loads(said(ran))) == (False, pay)
    assert people.shown(known)["state"] == "consumed"
    assert ticket(said(server.call("pay", pay, **extra))) != known
    assert [item["params"]["arguments"] for item in server.received()] == [pay]


def test_of_identical_retries_at_once_one_runs(people, server):
    """Twenty at a time: one uses the approval, the others are told to wait for a new one."""
    server.greet()
    pay = {"to": "at once", "amount": "1"}
    people.answer(ticket(said(server.call("pay", pay))))
    for number in range(20):
        params = {"name": "pay", "arguments": pay}
        server.send({"jsonrpc": "2.0", "id": f"r{number}", "method": "tools/call", "params": params})
    results = [server.receive()["result"] for _ in range(20)]

    assert sorted(item["isError"] for item in results) == [False] + [True] * 19
    assert len(server.received()) == 1
    assert len({ticket(said(item)) for item in results if item["isError"]}) == 1


@pytest.mark.parametrize("modern", [False, True])
def test_no_is_told_and_nobody_is_asked_again(people, server, modern):
    """A refused approval is no ticket to wait for, and asks no client."""
    extra = CAN_ASK if modern else {}
    pay = {"to": f"no {modern}", "amount": "1"}
    known = ticket(said(server.call("pay", pay, **(CANNOT if modern else {}))))
    if not modern:
        server.greet(capabilities={"elicitation": {}})
    assert people.answer(known, "refuse") == 200
    result = server.call("pay", pay, **extra)

    assert result["isError"] is True
    assert "refused by boss" in said(result)
    assert "Ticket" not in said(result)
    assert server.received() == []


def test_expiry_is_refusal(impatient, wrapped):
    """Granted too late is not granted; granted and used too late neither. In time it is (the control)."""
    server = wrapped(socket=impatient.authority.socket, tools=impatient.TOOLS)
    server.greet()
    deadline = time.monotonic() + 60

    def granted(pay):
        """Have it granted; where the machine took longer than the two seconds it is asked for again."""
        while impatient.answer(known := ticket(said(server.call("pay", pay)))) != 200:
            assert time.monotonic() < deadline
        return known

    late = ticket(said(server.call("pay", PAY)))
    time.sleep(2.5)
    assert impatient.answer(late) != 200
    assert granted(PAY) != late
    time.sleep(2.5)
    assert server.call("pay", PAY)["isError"] is True
    assert server.received() == []
    other = {**PAY, "amount": "9"}
    granted(other)
    while server.call("pay", other)["isError"]:  # used in time, however slow the machine: by one try or another
        assert time.monotonic() < deadline
        granted(other)
    assert len(server.received()) == 1


def test_approvals_outlive_restarts_of_gateway_and_authority(people, server):
    """Asked, both restarted, granted, both restarted: the same call runs once. The sealed state outlives them too."""
    pay = {"to": "restarts", "amount": "1"}
    asked = server.call("pay", pay, **CAN_ASK)

    def restart():
        server.stop()
        people.authority.stop()
        people.authority.start()
        server.start()

    restart()
    assert people.answer(ticket(question(asked))) == 200
    restart()
    assert server.call("pay", pay, **CAN_ASK, **answered(asked))["isError"] is False
    assert "inputRequests" in server.call("pay", pay, **CAN_ASK, **answered(asked))  # used: a new one is needed
    assert len(server.received()) == 1


# 2026-07-28: the client is sent back


def test_a_modern_client_is_sent_back_until_somebody_else_grants(people, server):
    """Accepting grants nothing; granted meanwhile, the same state runs the call, with our part taken out of it."""
    pay = {"to": "modern", "amount": "5"}
    asked = server.call("pay", pay, **CAN_ASK)
    known = ticket(question(asked))

    assert asked["resultType"] == "input_required"
    assert pay["to"] not in question(asked)
    assert known in said(server.call("pay", pay, **CAN_ASK, **answered(asked, "decline")))
    assert people.shown(known)["state"] == "requested"  # the client's no is nobody's no
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        again = pool.submit(server.call, "pay", pay, **CAN_ASK, **answered(asked))
        time.sleep(0.5)
        assert people.answer(known) == 200  # while the gateway waits for it
        ran = again.result(60)
    assert ran["isError"] is False
    (received,) = server.received()
    assert received["params"] == {"name": "pay", "arguments": pay, **CAN_ASK}


def test_a_client_that_always_accepts_is_not_asked_for_ever(people, wrapped, monkeypatch):
    """After ten rounds it gets the ticket, and nothing ran."""
    monkeypatch.setenv("SEALGATE_TIMEOUT_S", "1")  # too short to wait in, so each round is quick
    server = wrapped(socket=people.authority.socket, tools=people.TOOLS)
    result = server.call("pay", {"to": "eager", "amount": "1"}, **CAN_ASK)
    rounds = 0
    while "inputRequests" in result and rounds < 50:
        rounds += 1
        result = server.call("pay", {"to": "eager", "amount": "1"}, **CAN_ASK, **answered(result))

    assert (rounds, result["isError"], server.received()) == (10, True, [])
    assert ticket(said(result))


def test_the_state_counts_for_its_own_call_only(people, server):
    """Other arguments, another tool, a changed byte, another gateway's state: refused; its own call is the control."""
    pay = {"to": "state", "amount": "5"}
    asked = server.call("pay", pay, **CAN_ASK)
    assert people.answer(ticket(question(asked))) == 200
    own = answered(asked)
    text = own["requestState"]
    forged = text[:-3] + ("A" if text[-3] != "A" else "B") + text[-2:]

    def code(name, arguments, params):
        return server.ask("tools/call", {"name": name, "arguments": arguments, **CAN_ASK, **params})["error"]["code"]

    assert code("pay", {**pay, "amount": "6"}, own) == -32602
    assert code("act", {"a": "x"}, own) == -32602
    assert code("pay", pay, {**own, "requestState": forged}) == -32602
    assert code("pay", pay, {**own, "requestState": "sealgate1.AAAA"}) == -32602
    assert server.received() == []
    assert server.call("pay", pay, **CAN_ASK, **own)["isError"] is False


def test_what_a_server_asks_is_nested_in_what_the_gate_asks(people, server):
    """The server's own state and answers come back to it, and only to it, through another approval."""
    server.tell(answers={"input": "input"}, ask="elicitation/create", ask_params={"message": "sure?"})
    first = server.call("input", **CAN_ASK)
    assert people.answer(ticket(question(first))) == 200
    theirs = server.call("input", **CAN_ASK, **answered(first))
    assert theirs["requestState"] == "theirs"
    assert question(theirs) == "sure?"
    server.tell(answers={})
    second = server.call("input", **CAN_ASK, **answered(theirs))  # a new round acts anew, so it needs a new approval
    assert people.answer(ticket(question(second))) == 200
    assert server.call("input", **CAN_ASK, **answered(second))["isError"] is False

    params = server.received()[-1]["params"]
    assert params["requestState"] == "theirs"
    assert params["inputResponses"] == {"k": {"action": "accept"}}
    assert len(server.received()) == 2


def test_a_client_that_shows_no_forms_gets_the_ticket(server):
    """It says that it opens links only."""
    assert ticket(said(server.call("pay", {"to": "links", "amount": "1"}, **ONLY_LINKS)))


# 2025-11-25: the client is asked


def legacy(server, pay, action, *, before=len):
    """Call, answer the elicitation that comes; return (elicitation, result)."""
    server.send({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "pay", "arguments": pay}})
    asked = server.receive()
    assert asked["method"] == "elicitation/create"
    before(asked["params"]["message"])
    server.send({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": action}})
    return asked, server.receive()["result"]


def test_a_legacy_client_is_asked_and_its_answer_goes_no_further(people, server):
    """Accepting without a grant is a refusal; granted meanwhile it runs. The server never sees the answer."""
    server.greet(capabilities={"elicitation": {}})
    pay = {"to": "legacy", "amount": "5"}
    asked, refused = legacy(server, pay, "cancel")
    known = ticket(said(refused))
    assert "mode" not in asked["params"]
    _, alone = legacy(server, pay, "accept")
    assert alone["isError"] is True
    assert people.shown(known)["state"] == "requested"
    assert server.received() == []
    _, ran = legacy(server, pay, "accept", before=lambda message: people.answer(ticket(message)))

    assert ran["isError"] is False
    assert [note["params"]["arguments"] for note in server.received()] == [pay]
    assert not server.received(None)


# Many callers, and clients that are trusted to ask their person


@pytest.fixture(name="shared")
def _shared(people, served, tmp_path):
    """A gateway for the callers `ann`, `bot` and `self`; two clients are trusted: to ask alice, and itself."""
    keys = ApiKeys(tmp_path / "keys.json")
    tokens = {
        name: keys.add(name, agents=["a1"], roles=["enforce"], created="2026-01-01T00:00:00Z")[1]
        for name in ("ann", "bot", "self")
    }
    more = f'[consent]\nkey = "file:{people.key_file}"\npeople = {{ ann = "alice", self = "self" }}\n'
    running = served(
        {"raw": people.TOOLS},
        socket=people.authority.socket,
        agent=None,
        api_keys=str(tmp_path / "keys.json"),
        more=more,
    )
    running.keys = {name: {"authorization": f"Bearer {token}"} for name, token in tokens.items()}
    return running


def paid(running, who, pay, params=CAN_ASK):
    """Call as somebody; return the whole answer."""
    return running.post("tools/call", {"name": "pay", "arguments": pay, **params}, **running.keys[who]).json()


def test_a_trusted_client_shows_the_arguments_and_its_answer_counts(people, shared):
    """As alice's, once, by a signed callback; the record says so. Declined, it is refused and stays so."""
    pay = {"to": "trusted", "amount": "5"}
    asked = paid(shared, "ann", pay)["result"]
    message = question(asked)
    assert '{"amount":"5","to":"trusted"}' in message
    ran = paid(shared, "ann", pay, CAN_ASK | answered(asked))["result"]
    assert ran["isError"] is False
    shown = people.shown(ticket(message))
    assert (shown["state"], shown["on_behalf_of"]) == ("consumed", ["ann"])
    assert [(vote["principal"], vote["proof"]) for vote in shown["granted_by"]] == [("alice", "signed_callback")]
    replayed = paid(shared, "ann", pay, CAN_ASK | answered(asked))["result"]
    assert replayed["isError"] is True
    assert "does not count" in said(replayed)

    declined = {"to": "trusted", "amount": "6"}
    asked = paid(shared, "ann", declined)["result"]
    assert "declined" in said(paid(shared, "ann", declined, CAN_ASK | answered(asked, "decline"))["result"])
    assert "refused by alice" in said(paid(shared, "ann", declined)["result"])
    assert len(shared.received("raw")) == 1


def test_consent_of_one_caller_is_no_other_callers(people, shared):
    """Another caller of the same agent can use neither the state nor the approval, and is not trusted to ask."""
    pay = {"to": "mine", "amount": "5"}
    asked = paid(shared, "ann", pay)["result"]
    known = ticket(question(asked))
    assert paid(shared, "bot", pay, CAN_ASK | answered(asked))["error"]["code"] == -32602
    assert people.answer(known) == 200
    other = paid(shared, "bot", pay)["result"]
    assert "sealgate approval grant" in question(other)
    assert ticket(question(other)) != known
    paid(shared, "bot", pay, CAN_ASK | answered(other))
    assert people.shown(ticket(question(other)))["state"] == "requested"
    assert shared.received("raw") == []
    assert paid(shared, "ann", pay)["result"]["isError"] is False  # the control: ann's own retry


def test_a_caller_cannot_be_the_person_who_consents(people, shared):
    """Where the trusted person is the caller, the authority refuses the answer."""
    pay = {"to": "self", "amount": "5"}
    asked = paid(shared, "self", pay)["result"]
    result = paid(shared, "self", pay, CAN_ASK | answered(asked))["result"]

    assert result["isError"] is True
    assert "does not count: there is no such approval" in said(result)  # nobody sees what they asked for
    assert people.shown(ticket(question(asked)))["state"] == "requested"
    assert shared.received("raw") == []


def test_a_trusted_client_of_the_older_protocol_is_asked_in_its_session(people, shared):
    """Over a stream: the question comes before the answer, and the accepted call runs."""
    http, head = shared.http, dict(shared.keys["ann"])
    params = {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}, "clientInfo": {"name": "c"}}
    greeting = http.post(
        shared.url, json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}, headers=head
    )
    head |= {"mcp-session-id": greeting.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    pay = {"to": "session", "amount": "5"}
    with http.stream(
        "POST", shared.url, json=call | {"params": {"name": "pay", "arguments": pay}}, headers=head
    ) as answer:
        messages = (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: "))
        asked = next(messages)
        assert '"to":"session"' in asked["params"]["message"]
        accepted = {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept"}}
        assert http.post(shared.url, json=accepted, headers=head).status_code == 202
        result = next(messages)["result"]

    assert result["isError"] is False
    assert people.shown(ticket(asked["params"]["message"]))["granted_by"][0]["principal"] == "alice"
