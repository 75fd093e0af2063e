"""OTLP as a user runs it: `sealgate init`, `[otlp]`, a key, `sealgate serve`, the SDK's exporter; then the journal."""

import asyncio
import json
import os
import time

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from bench.ingest_world import free_port, listens
from sealgate.adapters.preparers import WorkerPreparer
from sealgate.adapters.redaction import PolicyRedactor
from sealgate.collector.preparing import Enrichment, Preparation
from sealgate.collector.routing import Route, Routing
from sealgate.demo.authority import Authority, run
from sealgate.telemetry.bounds import DEFAULT
from sealgate.telemetry.mapping import Sender
from sealgate.telemetry.requests import Export

from .test_otlp_exporters import spans
from .test_otlp_http import request, span


def _figures(path) -> str:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost", timeout=60) as client:
        return client.get("/metrics").text


@pytest.mark.slow
def test_spans_of_an_exporter_are_durable_in_the_journal(tmp_path):
    """Both exporters' spans are acknowledged, counted by the authority, and their secrets are in no byte on disk."""
    place = tmp_path / "a"
    run("init", place, *Authority.INIT_OPTIONS)
    http = grpc = free_port()
    while grpc == http:
        grpc = free_port()
    file = place / "sealgate.toml"
    section = f'[otlp]\nenabled = "yes"\nhttp = "127.0.0.1:{http}"\ngrpc = "127.0.0.1:{grpc}"\n'
    file.write_text(file.read_text().replace("[otlp]\n", section))
    key = run("keys", "api", "add", "exporter", "--agent", "banker", "--role", "observe", "--config", file).strip()
    with Authority(place) as authority:
        deadline = time.monotonic() + 60
        while not all(listens(f"127.0.0.1:{port}") for port in (http, grpc)):
            assert time.monotonic() < deadline, authority.log_file.read_text()
            time.sleep(0.05)
        headers = {"authorization": f"Bearer {key}"}
        by_http = HttpExporter(endpoint=f"http://127.0.0.1:{http}/v1/traces", headers=headers, timeout=60)
        by_grpc = GrpcExporter(endpoint=f"127.0.0.1:{grpc}", insecure=True, headers=headers, timeout=60)
        assert by_http.export(spans()) is SpanExportResult.SUCCESS
        assert by_grpc.export(spans()) is SpanExportResult.SUCCESS
        assert by_http.export(spans("stranger")) is SpanExportResult.SUCCESS  # told by partial success
        assert authority.metric("sealgate_items_total") == 8
        figures = _figures(place / "collector.sock")
        assert "sealgate_otlp_spans_total 9" in figures
        assert "sealgate_otlp_rejected_total 3" in figures
    kept = b"".join(
        (folder_path / name).read_bytes()
        for folder, _, names in os.walk(place)
        for folder_path in [type(place)(folder)]
        for name in names
        if (folder_path / name).is_file()
    )
    assert b"DE89370400440532013000" not in kept


def test_a_worker_process_translates_alike():
    """What a worker makes of a request is what is made here; the items themselves stay with it."""
    asyncio.run(_translate_in_a_worker())


async def _translate_in_a_worker():
    preparation = Preparation(
        routing=Routing([Route("", "default")]), enrichment=Enrichment("test"), redactor=PolicyRedactor.read(None, None)
    )
    preparer = WorkerPreparer(preparation, 1)
    try:
        export = Export("traces", "json", json.dumps(request(span(), span(1, traceId="x"))).encode())
        translated, ready = await preparer.translate(export, Sender("p", "banker"), DEFAULT, frozenset({"banker"}))
    finally:
        preparer.close()
    assert (translated.items, translated.origins, translated.entries) == ([], [0], 2)
    assert dict(translated.rejected) == {"invalid_trace_id": 1}
    assert [len(group.items) for group in ready.groups] == [1]
