"""The same through the commands, the client and the signed channels that people and programs really use."""

import asyncio
import http.server
import json
import secrets
import threading
import time

import pytest

from bench.permits_world import question, world
from sealgate.adapters.approval_webhook import Webhook
from sealgate.demo.authority import run
from sealgate.encoding.callback_signature import signature
from sealgate.model.errors import ConfigurationError, NotPermittedError, UnavailableError
from sealgate.sdk import ApprovalRequired, Client

from .conftest import question as ask
from .test_approvals import ALICE, CALLER, SETTINGS, _asked, _run

KEY = b"k" * 32


@pytest.fixture(scope="module", name="place")
def _place():
    """A served authority with people who approve."""
    with world() as place:
        yield place


def _as_person(place, who):
    """Have a person of this name answer the newest approval, in a thread, once somebody waits."""

    async def answer(approval):
        return await place.together([(f"/v1/approvals/{approval}/grant", {"reason": "fine"}, who)])

    return answer


def test_a_guarded_function_waits_for_people(place, tmp_path):
    """The guard raises ApprovalRequired; told to wait, it runs once people said yes, and only then."""
    ran = []
    client = Client(agent="a1", server="bank", socket=place.authority.socket, spool=tmp_path / "spool", timeout_s=30)

    @client.guard
    def pay(number: int) -> int:
        ran.append(number)
        return number

    with pytest.raises(ApprovalRequired) as raised:
        pay(1)
    assert not ran
    approval = raised.value.approval_id
    assert client.wait_for_approval(raised.value, 0) == "requested"
    asyncio.run(_as_person(place, "boss")(approval))
    assert client.wait_for_approval(approval, 30) == "granted"
    assert pay(1) == 1
    with pytest.raises(ApprovalRequired) as anew:
        pay(1)
    assert ran == [1]

    @client.guard(tool="pay", wait_for_approval=100)
    def pay_later(number: int) -> int:
        ran.append(number)
        return number

    worker = threading.Thread(target=pay_later, args=(2,))
    worker.start()
    waiting = _waiting(place, {approval, anew.value.approval_id})
    assert ran == [1]
    asyncio.run(_as_person(place, "second")(waiting))
    worker.join(100)
    assert ran == [1, 2]
    client.close()


def _waiting(place, known):
    """The id of an approval that waits and is none of these."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = json.loads(run("approval", "list", "--json", "--config", place.authority.configuration))
        new = [one["id"] for one in found if one["id"] not in known and "2" in (one["arguments"] or "2")]
        if new:
            return new[-1]
        time.sleep(0.1)
    raise AssertionError("nobody was asked")


def test_the_commands_show_and_answer(place):
    """list, show, stats and watch tell of it; the requester's own grant is refused, revoke ends it."""
    ((_, answer),) = asyncio.run(place.together([question("pay", 77)]))
    approval = answer["context"]["approval"]["id"]
    configuration = ("--config", place.authority.configuration)
    # The operator of this installation is also the agent's user: it may look, and decide nothing.
    with pytest.raises(UnavailableError, match="nobody decides what they asked for"):
        run("approval", "grant", approval, *configuration)
    shown = json.loads(run("approval", "show", approval, "--json", *configuration))
    assert (shown["state"], shown["tool"], shown["arguments"]) == ("requested", "pay", None)
    assert approval in run("approval", "show", approval, *configuration)
    assert approval in run("approval", "watch", "--once", *configuration)
    assert "pay" in run("approval", "list", *configuration)
    assert "is revoked" in run("approval", "revoke", approval, "--reason", "over", *configuration)
    figures = json.loads(run("approval", "stats", "--json", *configuration))
    assert figures["revoked"] >= 1
    assert "median s" in run("approval", "stats", *configuration)
    assert place.authority.metric("sealgate_approvals_revoked_total") >= 1


def _signed(body, *, key=KEY, at=None, nonce=None):
    at, nonce = int(time.time()) if at is None else at, nonce or secrets.token_urlsafe(16)
    return f"SealgateHmac t={at},n={nonce},v1={signature(key, at, nonce, body)}".encode()


def test_a_signed_callback_counts_once_and_only_for_named_people(kit):
    """Unsigned, by another key, old, replayed, for another person, altered: refused. Signed as configured: granted."""

    async def scenario(authority):
        approvals = authority.approvals
        wanted = await _asked(authority)

        def body(principal="alice", decision="grant"):
            return json.dumps({"id": wanted.id, "decision": decision, "principal": principal}).encode()

        good = body()
        for text, header in (
            (good, None),
            (good, b"Bearer x"),
            (good, _signed(good, key=b"x" * 32)),
            (good, _signed(good, at=int(time.time()) - 301)),
            (good, _signed(good, at=int(time.time()) + 360)),
            (body(decision="refuse"), _signed(good)),
            (body("bob"), _signed(body("bob"))),
        ):
            with pytest.raises(NotPermittedError) as refused:
                await approvals.answer_callback(text, header)
            assert refused.value.code == "callback-refused"
        header = _signed(good)
        assert (await approvals.answer_callback(good, header)).state == "granted"
        with pytest.raises(NotPermittedError):
            await approvals.answer_callback(good, header)
        shown = approvals.show(wanted.id, ALICE)
        assert [vote.proof for vote in shown.granted_by] == ["signed_callback"]
        assert (await authority.evaluate(ask(), CALLER, None)).decision

    _run(kit, scenario, callback_key=KEY, callback_approvers=("alice",))
    assert SETTINGS.roles["bob"]  # bob could approve, but the callback may not speak for him


class _Receiver(http.server.BaseHTTPRequestHandler):
    taken: list = []  # noqa: RUF012  # one per test run
    failures = 2

    def do_POST(self):  # the base class's name
        """Fail twice, then take it."""
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).failures -= 1
        self.taken.append((self.headers["sealgate-signature"], body))  # before the sender knows and the test goes on
        self.send_response(503 if type(self).failures >= 0 else 204)
        self.end_headers()

    def log_message(self, *arguments):
        """Say nothing."""


def test_the_webhook_is_signed_and_tried_until_it_is_taken(kit):
    """Two failures, then taken: each try signed anew over the same body, which has no arguments in it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    webhook = Webhook(f"http://127.0.0.1:{server.server_port}/", KEY, first_pause_s=0.01, timeout_s=60)
    with pytest.raises(ConfigurationError):
        Webhook("https://x", b"short")

    async def scenario(authority):
        wanted = await _asked(authority)
        await kit.until(lambda: webhook.delivered == 1)
        return wanted.id

    approval = _run(kit, scenario, notify=webhook.notify)
    webhook.close()
    server.shutdown()
    server.server_close()
    assert len(_Receiver.taken) == 3
    assert len({header for header, _ in _Receiver.taken}) == 3
    for header, body in _Receiver.taken:
        parts = dict(part.split("=", 1) for part in header.split(","))
        assert parts["v1"] == signature(KEY, int(parts["t"]), parts["n"], body)
        notice = json.loads(body)
        assert (notice["type"], notice["approval"]["id"]) == ("approval.requested", approval)
        assert notice["approval"]["arguments"] is None
