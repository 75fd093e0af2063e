"""An authority for tests: the HTTP interface over a real Unix socket, its rules as plain data, its memory open.

It shares no code with the client: requests are read with the standard library and digests are made with ``rfc8785``.
Tests that only need the interface take the ``authority`` fixture, which can be a real one instead; tests of hostile
answers need this one.
"""

import base64
import collections
import hashlib
import http.server
import json
import os
import pathlib
import socketserver
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import rfc8785

Rule = Callable[[dict[str, Any]], dict[str, Any]]


class Simulator:
    """Answers evaluations by ``rule`` (permit by default) and keeps all requests, records, permits and outcomes."""

    def __init__(self, path: pathlib.Path, *, with_server: type | None = None, context: Any = None) -> None:
        self.path = path
        self.rule: Rule = lambda _: {"outcome": "PERMIT", "reason": "policy"}
        self.before_answer: Callable[[str, dict[str, Any]], None] = lambda *_: None
        self.raw: collections.deque[bytes | tuple[int, Any] | None] = collections.deque()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.records: list[dict[str, Any]] = []
        self.permits: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.redeem_with_decision = True
        self.connections = 0
        self.lock = threading.RLock()
        simulator = self

        class Handler(_Handler):
            owner = simulator

        if with_server is None:
            path.unlink(missing_ok=True)
            self.server: Any = _Server(str(path), Handler)
        else:
            self.server = with_server(("127.0.0.1", 0), Handler)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Stop listening and close every open connection."""
        self.server.shutdown()
        self.server.close_all()
        self.server.server_close()
        self.path.unlink(missing_ok=True)
        self.thread.join()

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """Return the request bodies that came to ``path``."""
        with self.lock:
            return [body for where, body in self.requests if where == path]

    @property
    def decisions(self) -> list[dict[str, Any]]:
        """Return all evaluation requests."""
        return self.bodies("/access/v1/evaluation")

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        """Return the outcomes that count: repeated reports once."""
        with self.lock:
            return [record["body"] for record in self.records if record["kind"] == "outcome"]

    @property
    def captured(self) -> list[dict[str, Any]]:
        """Return the captured records that count."""
        with self.lock:
            return [record["body"] for record in self.records if record["kind"] == "capture"]

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return (status, body) as the contract has it."""
        routes = {
            "/access/v1/evaluation": self.evaluate,
            "/v1/permits/redeem": self.redeem,
            "/v1/outcomes": self.outcome,
            "/v1/records": self.capture,
        }
        with self.lock:
            return routes[path](body)

    def record(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Append one record and return its receipt."""
        record_id = str(uuid.UUID(int=(int(time.time() * 1000) << 80) | 7 << 76 | 2 << 62 | len(self.records)))
        self.records.append({"kind": kind, "body": body, "record_id": record_id})
        statement = base64.b64encode(b"statement " + os.urandom(200)).decode()
        return {"state": "signed", "record_id": record_id, "index": len(self.records), "statement": statement}

    def evaluate(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Decide once for each request id."""
        context = body["context"]
        request_id = context["request_id"]
        if request_id in self.answers:
            return 200, self.answers[request_id]
        verdict = self.rule(body)
        receipt = self.record("decision", body)
        permit = None
        if verdict["outcome"] == "PERMIT":
            token = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
            redeemed = bool(context["redeem"]) and self.redeem_with_decision
            digest = hashlib.sha256(rfc8785.dumps(context["input"])).hexdigest()
            self.permits[token] = {
                "decision_id": receipt["record_id"],
                "tool": body["action"]["name"],
                "digest": digest,
                "redeemed": redeemed,
            }
            permit = {"token": token, "expires_at": "2099-01-01T00:00:00Z", "redeemed": redeemed}
        answer = {
            "decision": verdict["outcome"] == "PERMIT",
            "context": {
                "outcome": verdict["outcome"],
                "reason": verdict["reason"],
                "message": verdict.get("message", ""),
                "policies": verdict.get("policies", ["p1"]),
                "policy_version": "sha256:00",
                "obligations": verdict.get("obligations", []),
                "request_id": request_id,
                "record_id": receipt["record_id"],
                "receipt": receipt,
                "permit": permit,
            },
        }
        self.answers[request_id] = answer
        return 200, answer

    def redeem(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Redeem once, for the arguments that were judged."""
        permit = self.permits.get(body["permit"])
        if permit is None:
            return problem(404, "permit-unknown")
        if permit["redeemed"]:
            return problem(409, "permit-already-redeemed")
        if (permit["tool"], permit["digest"]) != (body["tool"], body["arguments_sha256"]):
            return problem(403, "permit-mismatch")
        permit["redeemed"] = True
        receipt = self.record("redeemed", body)
        return 200, {
            "status": "redeemed",
            "decision_id": permit["decision_id"],
            "outcome_due": "2099-01-01T00:00:00Z",
            "receipt": receipt,
        }

    def outcome(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Record an outcome once for each request id."""
        return self.once("outcome", body)

    def capture(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Record anything else once for each request id."""
        return self.once("capture", body)

    def once(self, kind: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer a repeated request id as the first time."""
        if body["request_id"] not in self.answers:
            receipt = self.record(kind, body)
            self.answers[body["request_id"]] = {"record_id": receipt["record_id"], "receipt": receipt}
        return 200, self.answers[body["request_id"]]


def problem(status: int, slug: str) -> tuple[int, dict[str, Any]]:
    """Return an RFC 9457 problem."""
    return status, {
        "type": f"urn:sealgate:problem:{slug}",
        "title": slug,
        "status": status,
        "detail": f"about {slug}",
        "hint": "",
    }


class _Tracking(socketserver.ThreadingMixIn):
    """A thread for each connection; remembers the open ones."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        self.open: set[Any] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def close_all(self) -> None:
        for request in list(self.open):
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address


class _Server(_Tracking, socketserver.UnixStreamServer):
    pass


class TlsServer(_Tracking, socketserver.TCPServer):
    """The same over TCP, for TLS."""


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: Simulator
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = False

    def setup(self) -> None:
        self.owner.connections += 1
        super().setup()

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        """Answer one request: what the test put into ``raw`` first, else by the contract."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.owner.lock:
            self.owner.requests.append((self.path, body))
            self.owner.headers.append({key.lower(): value for key, value in self.headers.items()})
            planned = self.owner.raw.popleft() if self.owner.raw else ()
        self.owner.before_answer(self.path, body)
        if planned is None:  # close without an answer
            self.close_connection = True
        elif isinstance(planned, bytes):
            self.wfile.write(planned)
            self.close_connection = True
        else:
            status, answer = planned or self.owner.answer(self.path, body)
            data = json.dumps(answer).encode()
            media = "application/json" if status == 200 else "application/problem+json"
            head = f"HTTP/1.1 {status} X\r\ncontent-type: {media}\r\ncontent-length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data)
