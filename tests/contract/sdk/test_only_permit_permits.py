"""Only a well-formed PERMIT permits: every other answer, or none, and the body does not run."""

import asyncio
import copy
import threading
import time

import pytest

from sealgate.sdk import ActionNotRun, AuthorityUnreachable, Client, Denied, RequestRefused, Silence, UnreadableAnswer


def http(body: bytes, *, status: str = "200 OK", media: str = "application/json", extra: str = "") -> bytes:
    """Return a whole HTTP answer."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def changed(answer, path, value):
    """Return ``answer`` with the member at ``path`` set, or removed for ``...``."""
    answer = copy.deepcopy(answer)
    *parents, last = path.split(".")
    place = answer
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return answer


DEFECTS = [
    ("decision", "true"),
    ("decision", 1),
    ("decision", None),
    ("decision", ...),
    ("decision", False),
    ("context", ...),
    ("context", []),
    ("context.outcome", ...),
    ("context.outcome", "permit"),
    ("context.outcome", "ALLOW"),
    ("context.outcome", "SILENCE"),
    ("context.outcome", "DENY"),
    ("context.outcome", ["PERMIT"]),
    ("context.reason", "no_policy"),
    ("context.reason", "because"),
    ("context.reason", None),
    ("context.permit", None),
    ("context.permit", ...),
    ("context.permit", "token"),
    ("context.permit.token", ""),
    ("context.permit.token", None),
    ("context.permit.redeemed", "true"),
    ("context.permit.redeemed", None),
    ("context.permit.expires_at", 5),
    ("context.receipt", None),
    ("context.receipt.statement", "***"),
    ("context.receipt.statement", ""),
    ("context.receipt.index", -1),
    ("context.receipt.index", True),
    ("context.receipt.state", "sealed"),
    ("context.receipt.record_id", "0190f000-0000-7000-8000-000000000000"),
    ("context.record_id", None),
    ("context.record_id", "x"),
    ("context.request_id", "another"),
    ("context.request_id", ...),
    ("context.policies", "p1"),
    ("context.policies", [1]),
    ("context.obligations", {}),
    ("context.obligations", ["x"]),
    ("context.obligations", [{"id": 1}]),
]


@pytest.fixture(name="ran")
def _ran():
    return []


@pytest.fixture(name="action")
def _action(ran, client):
    @client.guard
    def send(to: str) -> str:
        ran.append(to)
        return to

    return send


def test_a_whole_permit_permits(authority, action, ran):
    """The positive control of this file: an untouched PERMIT runs the body once."""
    assert action("bob") == "bob"
    assert ran == ["bob"]


def test_the_unchanged_answer_passes_the_mutation_path(authority, action, ran):
    """The positive control of the table below: the same path with no defect permits."""
    evaluate = authority.evaluate
    authority.evaluate = lambda body: (200, changed(evaluate(body)[1], "context.message", "fine"))
    action("bob")

    assert ran == ["bob"]


@pytest.mark.parametrize(("path", "value"), DEFECTS, ids=[f"{path}={value!r:.12}" for path, value in DEFECTS])
def test_any_defect_of_a_permit_means_no(authority, action, ran, path, value):
    """A PERMIT with any one member wrong or missing does not run the body."""
    evaluate = authority.evaluate
    authority.evaluate = lambda body: (200, changed(evaluate(body)[1], path, value))
    with pytest.raises(UnreadableAnswer):
        action("bob")

    assert ran == []


def test_deny_and_silence_have_their_own_exceptions(authority, action, ran):
    """DENY raises Denied, SILENCE raises Silence; both carry the reason and the decision."""
    authority.rule = lambda _: {"outcome": "DENY", "reason": "policy", "policies": ["no-money"], "message": "never"}
    with pytest.raises(Denied, match=r"never.*no-money") as denied:
        action("bob")
    authority.rule = lambda _: {"outcome": "SILENCE", "reason": "approval_required"}
    with pytest.raises(Silence) as silence:
        action("bob")

    assert (denied.value.code, silence.value.code) == ("policy", "approval_required")
    assert denied.value.decision.policies == ("no-money",)
    assert not denied.value.decision
    assert ran == []


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b"\x00\x01\x02",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}{}",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 20_000,
        b"HTTP/1.1 200 OK\r\n folded: x\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        http(b""),
        http(b"{"),
        http(b"[]"),
        http(b"null"),
        http(b'{"decision":true}'),
        http(b'{"decision":false,"decision":true,"context":{}}'),
        http(b"{" * 200),
        http(b'{"decision":true,"context":{"outcome":"PERMIT"}}', media="text/html"),
        http(b'{"decision":NaN}'),
        http(b"\xff\xfe"),
        http(b"{}", status="204 No Content"),
        http(b"{}", status="302 Found", extra="location: http://evil/\r\n"),
        http(b"{}", status="500 Oops"),
        http(b"{}", status="503 Busy", media="application/problem+json"),
    ],
)
def test_hostile_answers_mean_no(authority, action, ran, raw):
    """Whatever comes over the wire instead of a decision: our error, and the body does not run."""
    authority.raw.extend([raw, raw])
    with pytest.raises(AuthorityUnreachable):
        action("bob")

    assert ran == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429])
def test_refused_requests_say_why(authority, action, ran, status):
    """A 4xx problem becomes RequestRefused with its slug; the body does not run."""
    problem = {"type": "urn:sealgate:problem:bad-thing", "title": "t", "detail": "what is bad", "hint": "do this"}
    authority.raw.append((status, problem))
    with pytest.raises(RequestRefused, match=r"what is bad.*do this") as refused:
        action("bob")

    assert (refused.value.code, refused.value.status) == ("bad-thing", status)
    assert ran == []


def test_a_permit_with_an_error_status_means_no(authority, action, ran):
    """A perfect PERMIT body under status 500 is no permit."""
    evaluate = authority.evaluate
    authority.evaluate = lambda body: (500, evaluate(body)[1])
    with pytest.raises(AuthorityUnreachable):
        action("bob")

    assert ran == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_slow_authority_means_no(authority, tmp_path, ran, asynchronous):
    """An answer that comes after the time bound is no answer; a late byte now and then does not extend the bound."""
    late = threading.Event()
    authority.before_answer = lambda path, _: late.wait(60) if "evaluation" in path else None
    client = Client(agent="a1", server="bank", socket=tmp_path / "a.sock", spool=tmp_path / "spool", timeout_s=1.0)

    @client.guard
    def send() -> None:
        ran.append(1)

    @client.guard
    async def asend() -> None:
        ran.append(1)

    started = time.monotonic()
    try:
        with pytest.raises(AuthorityUnreachable, match="within 1 s"):
            asyncio.run(asend()) if asynchronous else send()
        took = time.monotonic() - started
    finally:
        late.set()
        client.close()

    assert took < 20  # the answer would have come after 60
    assert ran == []


def test_no_authority_means_no(client, ran):
    """Nothing listens: the error says so, for sync and async code alike."""

    @client.guard
    def send() -> None:
        ran.append(1)

    @client.guard
    async def asend() -> None:
        ran.append(1)

    with pytest.raises(AuthorityUnreachable, match="no connection"):
        send()
    with pytest.raises(ActionNotRun, match="no connection"):
        asyncio.run(asend())

    assert ran == []


def test_a_restarted_authority_is_found_again(start, client, ran):
    """Idle connections that died are replaced; the repeated question carries the same request id."""
    authority = start()

    @client.guard
    def send() -> None:
        ran.append(1)

    send()
    authority.stop()
    second = start()
    send()

    assert len(ran) == 2
    assert len({body["context"]["request_id"] for body in second.decisions}) == 1


def test_a_lost_answer_is_asked_for_again_only_with_the_same_id(authority, action, ran):
    """The authority decided and the connection died: the second try has the same id, so it is one decision, one run."""
    action("a")
    authority.raw.append(None)
    action("b")

    ids = [body["context"]["request_id"] for body in authority.decisions]
    assert (len(ids), len(set(ids))) == (3, 2)
    assert ran == ["a", "b"]


def test_a_redemption_is_never_repeated(authority, client, ran):
    """A lost answer to a redemption: no second request, no run, and the permit is reported as cancelled."""

    @client.guard(redeem="before_body")
    def send() -> None:
        ran.append(1)

    send()

    def lose(path, _):
        if path.endswith("redeem"):
            authority.raw.clear()
            raise ConnectionError

    authority.before_answer = lose
    with pytest.raises(AuthorityUnreachable):
        send()

    assert len(authority.bodies("/v1/permits/redeem")) == 2
    assert ran == [1]
    assert [outcome["status"] for outcome in authority.outcomes] == ["succeeded", "cancelled"]
