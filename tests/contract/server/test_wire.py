"""HTTP/1.1 as bytes: what is refused, what is bounded, what a slow or rude caller gets."""

import json
import re
import select
import socket
import time

import pytest

from sealgate.server import bounds, connection

POST = b"POST /v1/records HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
BODY = b'{"kind":"k"}'
RECORD = POST + b"Content-Length: 12\r\n\r\n" + BODY
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Nobody is cut off while it is told no, where the machine holds it up: what is left is told in any case."""
    monkeypatch.setitem(connection.TIMEOUT_S, "lingering", 60)


def _receive_all(raw: socket.socket) -> bytes:
    """Read until the other side closes."""
    received = b""
    while part := raw.recv(65536):
        received += part
    return received


def _exchange(served, data: bytes) -> bytes:
    """Send bytes, say that no more come, return what was answered before the connection was closed."""
    with served.connect() as raw:
        raw.sendall(data)
        return _receive_all(raw)


def _statuses(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", received)]


def _closing(request: bytes) -> bytes:
    return request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)


def test_requests_on_one_connection_are_answered_in_order(served):
    """Pipelined requests are answered one after another, on one connection."""
    received = _exchange(served, RECORD + GET + RECORD + _closing(GET))

    assert _statuses(received) == [200] * 4
    assert [received.count(b'"index":0'), received.count(b'"index":1')] == [1, 1]
    assert received.index(b'"index":0') < received.index(b'{"status":"ok"}') < received.index(b'"index":1')


def test_many_pipelined_requests_are_all_answered(served):
    """More than may wait at once: the rest waits in the kernel and is answered too."""
    assert _statuses(_exchange(served, GET * 2000 + _closing(GET))) == [200] * 2001


def test_a_request_in_single_bytes_is_understood(served):
    """Where packets are cut does not matter."""
    with served.connect() as raw:
        for byte in _closing(RECORD):
            raw.sendall(bytes([byte]))
        assert _statuses(_receive_all(raw)) == [200]


def test_chunked_bodies_are_taken_and_trailers_ignored(served):
    """A trailer that looks like a header changes nothing."""
    request = _closing(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    request += b"5\r\n" + BODY[:5] + b"\r\n7\r\n" + BODY[5:] + b"\r\n0\r\nAuthorization: Bearer wrong\r\n\r\n"

    assert _statuses(_exchange(served, request)) == [200]


def test_expect_continue_is_answered_before_the_body(served):
    """A caller that asks first is told to go on."""
    with served.connect() as raw:
        raw.sendall(_closing(POST + b"Content-Length: 12\r\nExpect: 100-continue\r\n\r\n"))
        assert raw.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(BODY)
        assert _statuses(_receive_all(raw)) == [200]


def test_head_has_the_length_but_no_body(served):
    """HEAD answers as GET does, without the body."""
    received = _exchange(served, _closing(GET.replace(b"GET", b"HEAD")))

    assert _statuses(received) == [200]
    assert b"content-length: 15" in received
    assert received.endswith(b"\r\n\r\n")


def test_http_1_0_is_closed_after_the_answer(served):
    """Without keep-alive the connection ends."""
    assert _statuses(_exchange(served, b"GET /healthz HTTP/1.0\r\n\r\n")) == [200]


_LONG = b"a" * (bounds.MAX_HEAD_BYTES + 1)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /healthz\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (POST + b"Content-Length: 12\r\nContent-Length: 11\r\n\r\n" + BODY, 400),
        (POST + b"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY, 400),
        (POST + b"Authorization: a\r\nAuthorization: b\r\nContent-Length: 12\r\n\r\n" + BODY, 400),
        (POST + b"X-Request-ID: a\r\nX-Request-ID: b\r\nContent-Length: 12\r\n\r\n" + BODY, 400),
        (POST + b"Content-Length : 12\r\n\r\n" + BODY, 400),
        (POST + b"X: a\r\n b\r\nContent-Length: 12\r\n\r\n" + BODY, 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", 400),
        (b"GET /healthz HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /" + b"a" * bounds.MAX_TARGET_BYTES + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 64 + b"\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + _LONG + b"\r\n\r\n", 431),
        (POST + b"Content-Length: 262145\r\n\r\n", 413),
        (POST + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n50000\r\n" + b" " * 0x50000 + b"\r\n0\r\n\r\n", 413),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n", 413),
    ],
    ids=lambda value: repr(value[-40:]) if isinstance(value, bytes) else str(value),
)
def test_what_is_refused_before_it_reaches_the_application(served, request_bytes, status):
    """Each refusal is a problem, the connection ends, and the next caller is answered as ever."""
    received = _exchange(served, request_bytes)

    assert _statuses(received) == [status]
    content = json.loads(received.partition(b"\r\n\r\n")[2])
    assert content["status"] == status
    assert content["type"].startswith("urn:sealgate:problem:")
    assert b"connection: close" in received
    assert _statuses(_exchange(served, _closing(RECORD))) == [200]
    assert len(served.twin.records) == 1


def test_an_endless_header_is_cut_off(served):
    """A header that never ends is refused long before it fills the memory."""
    with served.connect() as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ")
        for _ in range(40):
            raw.sendall(b"a" * 4096)
        assert _statuses(_receive_all(raw)) == [431]


def test_a_body_over_the_bound_is_told_so_while_it_is_sent(served):
    """The caller sees 413 and not a reset, although it goes on sending."""
    with served.connect() as raw:
        raw.sendall(POST + b"Content-Length: 8000000\r\n\r\n" + b" " * 2_000_000)
        assert _statuses(raw.recv(65536)) == [413]


def test_a_policy_bundle_may_be_larger(served):
    """The bound is that of the path."""
    bundle = b'{"format":"' + b"a" * 1_000_000 + b'"}'
    request = _closing(POST.replace(b"/v1/records", b"/v1/policies") + b"Content-Length: %d\r\n\r\n" % len(bundle))

    assert _statuses(_exchange(served, request + bundle)) == [200]


def test_an_answer_under_way_comes_before_the_refusal_behind_it(served):
    """A broken request does not cost its predecessors their answers."""
    assert _statuses(_exchange(served, RECORD + GET + b"garbage\r\n\r\n")) == [200, 200, 400]


@pytest.mark.parametrize(
    ("phase", "data", "status"),
    [("fresh", b"", []), ("reading", RECORD[:-1], [408]), ("reading", b"G", [408]), ("idle", GET, [200])],
    ids=["nothing", "half-a-body", "half-a-line", "idle"],
)
def test_a_slow_caller_is_let_go(served, monkeypatch, phase, data, status):
    """Each phase has its deadline; a request that is begun and not finished is told so."""
    for each in connection.TIMEOUT_S:  # so that none but this one can be what ends it
        monkeypatch.setitem(connection.TIMEOUT_S, each, 0.5 if each == phase else 300)
    started = time.monotonic()

    assert _statuses(_exchange(served, data)) == status
    assert time.monotonic() - started < 30


def test_dripping_bytes_do_not_extend_the_deadline(served, monkeypatch):
    """One byte now and then does not keep a request open (slow loris)."""
    monkeypatch.setitem(connection.TIMEOUT_S, "reading", 0.5)
    with served.connect() as raw:
        for byte in RECORD[:-1]:
            raw.sendall(bytes([byte]))
            if select.select([raw], [], [], 0.2)[0]:
                break
        else:
            pytest.fail("a byte now and then kept the request open")
        assert _statuses(_receive_all(raw)) == [408]


def test_a_caller_that_leaves_does_not_stop_its_decision(served, question):
    """The record may already be written, so the decision is finished."""
    body = json.dumps(question | {"action": {"name": "slow"}}).encode()
    with served.connect() as raw:
        raw.sendall(
            POST.replace(b"/v1/records", b"/access/v1/evaluation") + b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        while not served.twin.waiting:
            time.sleep(0.01)
    served.call(served.twin.release.set)
    deadline = time.monotonic() + 30
    while not served.twin.calls and time.monotonic() < deadline:
        time.sleep(0.01)

    assert len(served.twin.calls) == 1
    assert _statuses(_exchange(served, _closing(GET))) == [200]


def test_the_bound_of_a_body_is_configured(make_served):
    """A shorter bound is kept on every path but that of policy bundles."""
    served = make_served(max_request_bytes=20_000)

    for size, status in ((19_000, 200), (21_000, 413)):
        body = b'{"kind":"' + b"k" * size + b'"}'
        assert _statuses(_exchange(served, _closing(POST + b"Content-Length: %d\r\n\r\n" % len(body)) + body)) == [
            status
        ]


def test_connections_over_the_limit_are_told_so(make_served):
    """One too many is refused with 503; when one leaves, the next is served."""
    served = make_served(max_connections=1)
    with served.connect() as kept:
        kept.sendall(GET)
        assert _statuses(kept.recv(4096)) == [200]
        with served.connect() as refused:
            assert _statuses(_receive_all(refused)) == [503]
    deadline = time.monotonic() + 30
    while (statuses := _statuses(_exchange(served, _closing(GET)))) == [503] and time.monotonic() < deadline:
        time.sleep(0.05)  # until the server has noticed that the first one left
    assert statuses == [200]
