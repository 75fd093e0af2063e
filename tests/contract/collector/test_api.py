"""The collector over HTTP before a real authority: what its document promises, whatever is sent."""

import asyncio
import json
import threading
from pathlib import Path

import httpx
import pytest
import schemathesis
import uvloop
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from bench.twin import Resolver, Twin
from sealgate.adapters.authorities.http import HttpAuthority
from sealgate.adapters.preparers import HerePreparer
from sealgate.adapters.redaction import PolicyRedactor
from sealgate.collector.batching import Outbox
from sealgate.collector.preparing import Enrichment, Preparation
from sealgate.collector.routing import Route, Routing
from sealgate.collector.service import Bounds, Collector
from sealgate.server.api import authority_api
from sealgate.server.collector.api import collector_api
from sealgate.server.collector.openapi import document_bytes
from sealgate.server.collector.routes import ROUTES
from sealgate.server.listeners import Listeners, UnixListener
from sealgate.server.serving import Server

ROOT = Path(__file__).resolve().parents[3]
ITEM = {
    "item_id": "01a1fc46-fe05-7ad7-895d-1a4a72e046df",
    "kind": "event.logged",
    "time": "2026-11-21T03:00:00.000Z",
    "agent": "a1",
    "coverage": "captured",
    "source": "sdk",
    "attributes": {"event_type": "x"},
}


class Both:
    """An authority (in memory) and a collector before it, each served on a socket, in one thread."""

    def __init__(self, folder: Path) -> None:
        self.twin = Twin()
        self.sockets = {name: folder / "run" / f"{name}.sock" for name in ("authority", "collector")}
        preparation = Preparation(
            routing=Routing([Route("", "default")]), enrichment=Enrichment(), redactor=PolicyRedactor({}, None)
        )
        outbox = Outbox(HttpAuthority(f"unix:{self.sockets['authority']}"), linger_s=0.001)
        self.collector = Collector(preparer=HerePreparer(preparation), outboxes={"": outbox}, bounds=Bounds())
        first, second = (Listeners(UnixListener(path)) for path in self.sockets.values())
        self.servers = [
            Server(authority_api(self.twin, first), Resolver(), first),
            Server(collector_api(self.collector), Resolver(), second),
        ]
        self.ready = [threading.Event(), threading.Event()]
        self.loop = uvloop.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        async def both():
            runs = [
                server.run(event.set, signals=False) for server, event in zip(self.servers, self.ready, strict=True)
            ]
            await asyncio.gather(*runs)

        self.loop.run_until_complete(both())

    def client(self, name: str = "collector", key: str = "Bearer everything") -> httpx.Client:
        """A caller."""
        transport = httpx.HTTPTransport(uds=str(self.sockets[name]))
        return httpx.Client(transport=transport, base_url="http://x", headers={"Authorization": key}, timeout=60)

    def stop(self) -> None:
        """End both."""
        for server in reversed(self.servers):
            self.loop.call_soon_threadsafe(server.stop)
        self.thread.join(60)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Both, started."""
    made = Both(tmp_path_factory.mktemp("both"))
    made.thread.start()
    for event in made.ready:  # the name of a socket is there a moment before anybody listens
        assert event.wait(60)
    yield made
    made.stop()


def test_the_published_document_is_the_generated_one():
    """`python -m sealgate.server.collector.openapi > schema/openapi-collector.json` changes nothing."""
    assert (ROOT / "schema" / "openapi-collector.json").read_bytes() == document_bytes()


def test_every_path_code_and_metric_is_on_the_page(both):
    """What a program may meet can be looked up."""
    page = (ROOT / "docs" / "reference" / "collector.md").read_text("utf-8")

    assert {route.path for route in ROUTES if route.path not in page} == set()
    assert {name for name in both.collector.metrics() if f"`{name}`" not in page} == set()


def test_a_batch_is_taken_and_its_bad_items_are_named(both):
    """200 with counts, refusals and receipts; the authority got what was kept."""
    with both.client() as client:
        answer = client.post("/v1/records/batch", json={"batch_id": "b1", "items": [ITEM, {"item_id": "x"}]})

    content = answer.json()
    assert (answer.status_code, content["accepted"], len(content["receipts"])) == (200, 1, 1)
    assert (content["rejected"][0]["position"], content["rejected"][0]["item_id"]) == (1, "x")
    _, request = both.twin.calls[-1]
    assert json.loads(request.batches[0].items[0])["item_id"] == ITEM["item_id"]
    assert request.batches[0].principal == "operator"


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        ("Bearer nobody", b"{}", 401),
        ("Bearer everything", b"{}", 400),
        ("Bearer everything", b"[", 400),
        ("Bearer everything", b'{"batch_id":"","items":[]}', 400),
        ("Bearer everything", b'{"batch_id":"' + b"x" * 201 + b'","items":[]}', 400),
        ("Bearer everything", b'{"batch_id":"b","items":[' + b" " * (4 << 20) + b"]}", 413),
        ("Bearer everything", b'{"batch_id":"b","items":[]}', 200),
    ],
)
def test_what_is_no_batch_is_refused(both, key, body, status):
    """With the problem that says why; an empty batch is one."""
    with both.client(key=key) as client:
        answer = client.post("/v1/records/batch", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == status, answer.text


def test_a_sender_speaks_for_its_agents_only(both):
    """Item by item."""
    with both.client(key="Bearer enforce-only") as client:
        mixed = [ITEM, ITEM | {"agent": "a2"}]
        content = client.post("/v1/records/batch", json={"batch_id": "b2", "items": mixed}).json()

    assert content["accepted"] == 1
    assert [(refused["position"], refused["code"]) for refused in content["rejected"]] == [(1, "subject-not-allowed")]


def test_too_much_is_429_with_retry_after(both, monkeypatch):
    """And the sender is told when to come back."""
    monkeypatch.setattr(both.collector, "_bounds", Bounds(pending_requests=0))
    with both.client() as client:
        answer = client.post("/v1/records/batch", json={"batch_id": "b3", "items": [ITEM]})

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.json()["type"] == "urn:sealgate:problem:busy"


_RUNS = [("positive", route) for route in ROUTES] + [("negative", route) for route in ROUTES if route.takes]


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "route"), _RUNS, ids=[f"{mode} {route.method} {route.path}" for mode, route in _RUNS])
def test_every_answer_is_as_the_document_says(both, route, mode):
    """No 500, no undocumented status, no answer of another shape; what the document forbids is refused."""
    operation = schemathesis.openapi.from_dict(json.loads(document_bytes()))[route.path][route.method]
    chosen = [
        checks.not_a_server_error,
        openapi_checks.status_code_conformance,
        openapi_checks.content_type_conformance,
        openapi_checks.response_schema_conformance,
    ]

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
    def ask(case) -> None:
        prepared = case.as_transport_kwargs(base_url="http://x")
        with both.client() as client:
            sent = {"Authorization": "Bearer everything", "Content-Type": "application/json"}
            content = json.dumps(prepared["json"]) if prepared.get("json") is not None else prepared.get("data")
            answer = client.request(route.method, route.path, content=content, headers=sent)
        response = schemathesis.Response.from_httpx(answer, verify=False)
        case.validate_response(response, checks=chosen)

    ask()

    assert not both.servers[1].application.metrics.requests.get((route.path, 500))
