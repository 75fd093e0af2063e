"""OTLP/gRPC at the level of its calls: status codes, retry information, bounds, certificates."""

import gzip
import ssl

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from sealgate.collector.service import Bounds
from sealgate.model.errors import ConfigurationError
from sealgate.server.listeners import HttpsListener
from sealgate.server.otlp.http import PlainListener
from sealgate.server.otlp.rpc import GrpcListener
from sealgate.telemetry.bounds import Bounds as OtlpBounds

from .otlp_certificates import Certificates
from .otlp_world import KEY, Keys, running

METADATA = (("authorization", KEY),)


def request(*names, text=""):
    """An export request, one span a name."""
    made = ExportTraceServiceRequest()
    scoped = made.resource_spans.add().scope_spans.add()
    for number, name in enumerate(names, 1):
        span = scoped.spans.add(trace_id=b"t" * 16, span_id=number.to_bytes(8), name=name, start_time_unix_nano=10**18)
        if text:
            span.attributes.add(key="text").value.string_value = text
    return made


def export(world, sent, **more):
    """Call the trace service with the good key unless other metadata is named."""
    with grpc.insecure_channel(f"127.0.0.1:{world.grpc}") as channel:
        return TraceServiceStub(channel).Export(sent, **{"metadata": METADATA, "timeout": 60, **more})


def refusal(call, *arguments, **more):
    """The error that a call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **more)
    return caught.value


def test_rejected_spans_are_counted():
    """A span without ids is rejected with its reason; the good one is kept."""
    sent = request("good", "bad")
    sent.resource_spans[0].scope_spans[0].spans[1].trace_id = b""
    with running() as world:
        partial = export(world, sent).partial_success
        assert len(world.authority.items()) == 1
    assert (partial.rejected_spans, partial.error_message) == (1, "invalid_trace_id: 1")


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ((), grpc.StatusCode.UNAUTHENTICATED),
        ((("authorization", "Bearer wrong"),), grpc.StatusCode.UNAUTHENTICATED),
        ((("authorization", KEY), ("authorization", "Bearer wrong")), grpc.StatusCode.UNAUTHENTICATED),
        ((("authorization", "Bearer key-without-role"),), grpc.StatusCode.PERMISSION_DENIED),
    ],
)
def test_only_proven_callers_with_the_role_are_heard(metadata, code):
    """Without exactly one good key, or without the role, nothing is taken."""
    with running() as world:
        assert refusal(export, world, request("a"), metadata=metadata).code() is code
        assert world.authority.items() == []
        export(world, request("a"))
        assert len(world.authority.items()) == 1


def test_a_caller_is_told_when_to_come_back():
    """Too much waiting is RESOURCE_EXHAUSTED, an authority that is away UNAVAILABLE; both carry RetryInfo."""
    with running(collector_bounds=Bounds(pending_requests=0)) as world:
        busy = refusal(export, world, request("a"))
    with running() as world:
        world.authority.away = True
        away = refusal(export, world, request("a"))
    assert (busy.code(), away.code()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    for error in (busy, away):
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        info = RetryInfo()
        assert Status.FromString(details).details[0].Unpack(info)
        assert info.retry_delay.seconds == 1


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_request_over_the_bound_is_refused(compression):
    """The bound counts unpacked bytes: a small packed message that unpacks to much is refused too."""
    with running(bounds=OtlpBounds(max_bytes=100_000)) as world:
        error = refusal(export, world, request("a", text="x" * 5_000_000), compression=compression)
        assert error.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT}
        assert world.authority.items() == []
        export(world, request("a", text="x" * 50_000), compression=compression)
        assert len(world.authority.items()) == 1


def test_bytes_that_are_no_message_are_invalid():
    """What does not parse is INVALID_ARGUMENT, and not sent again."""
    with running() as world, grpc.insecure_channel(f"127.0.0.1:{world.grpc}") as channel:
        raw = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        assert refusal(raw, b"\xff\xff", metadata=METADATA).code() is grpc.StatusCode.INVALID_ARGUMENT
        assert refusal(raw, gzip.compress(b""), metadata=METADATA).code() is grpc.StatusCode.INVALID_ARGUMENT
        assert raw(b"", metadata=METADATA) == b""


def test_logs_are_taken_and_metrics_are_not():
    """The log service answers; the metrics service says plainly that it does not take any."""
    with running() as world, grpc.insecure_channel(f"127.0.0.1:{world.grpc}") as channel:
        sent = ExportLogsServiceRequest()
        record = sent.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=10**18, severity_number=17)
        record.body.string_value = "it broke"
        LogsServiceStub(channel).Export(sent, metadata=METADATA)
        assert [item["kind"] for item in world.authority.items()] == ["error"]
        error = refusal(MetricsServiceStub(channel).Export, ExportMetricsServiceRequest(), metadata=METADATA)
    assert (error.code(), "not taken" in error.details()) == (grpc.StatusCode.UNIMPLEMENTED, True)


def test_an_address_in_use_is_a_configuration_error():
    """A second receiver on the same port does not start and does not share it."""
    with running() as world:
        with (
            pytest.raises(ConfigurationError, match="cannot listen"),
            running(listeners=(PlainListener("127.0.0.1", 0), GrpcListener("127.0.0.1", world.grpc))),
        ):
            pass
        export(world, request("a"))
        assert len(world.authority.items()) == 1


def test_mutual_tls_names_the_sender(tmp_path):
    """A client certificate proves the sender on both ports; without one the connection ends."""
    made = Certificates(tmp_path)
    authority, server, key = made.authority, made.server, made.server_key
    listeners = (
        HttpsListener("127.0.0.1", 0, server, key, authority, "required"),
        GrpcListener("127.0.0.1", 0, server, key, authority),
    )
    with running(resolver=Keys(made.client_der), listeners=listeners) as world:
        pair = {"private_key": made.client_key.read_bytes(), "certificate_chain": made.client.read_bytes()}
        for proof, works in ((pair, True), ({}, False)):
            credentials = grpc.ssl_channel_credentials(authority.read_bytes(), **proof)
            with grpc.secure_channel(f"127.0.0.1:{world.grpc}", credentials) as channel:
                if works:
                    TraceServiceStub(channel).Export(request("a"), timeout=60)
                else:
                    assert refusal(TraceServiceStub(channel).Export, request("b"), timeout=60)
        context = ssl.create_default_context(cafile=str(authority))
        url = f"https://127.0.0.1:{world.http}/v1/traces"
        headers = {"content-type": "application/x-protobuf"}
        with pytest.raises(httpx.HTTPError):
            httpx.post(url, content=b"", headers=headers, verify=context, timeout=60)
        context.load_cert_chain(made.client, made.client_key)
        sent = request("c").SerializeToString()
        assert httpx.post(url, content=sent, headers=headers, verify=context, timeout=60).status_code == 200
        assert {batch.principal for batch in world.authority.batches} == {"by-cert"}
        assert len(world.authority.items()) == 2
