"""Real telemetry as an exporter would have sent it: OTLP requests made from exports and captures.

Langfuse takes input and output out of a span's attributes when it ingests it and keeps the others. Two ways back: under
``langfuse.observation.*``, which is how its own SDKs send them; or under the names that the span's instrumentation
uses (``_NATIVE``, by scope), without anything that Langfuse derived, so that the framework's own convention is tested.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_MESSAGES = ("gen_ai.input.messages", "gen_ai.output.messages")
_EXECUTION = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
_NATIVE = {
    "pydantic-ai": (_MESSAGES, ("tool_arguments", "tool_response")),
    "agent_framework": (_MESSAGES, _EXECUTION),
    "Experimental.Microsoft.Extensions.AI": (_MESSAGES, _EXECUTION),
    "langsmith": (("gen_ai.prompt", "gen_ai.completion"), ("gen_ai.prompt", "gen_ai.completion")),
    "ai": (("ai.prompt.messages", "ai.response.toolCalls"), ("ai.toolCall.args", "ai.toolCall.result")),
}
"""Scope → where model spans and tool spans keep what Langfuse took."""

_COMPLETE = "openinference.", "ai.koog"
"""Scopes whose spans still have all their attributes."""


def langfuse_traces(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and content of each Langfuse export."""
    with tarfile.open(folder / "langfuse-framework-traces.tar.xz") as archive:
        for name in sorted(archive.getnames()):
            if name.endswith(".trace.json"):
                yield Path(name).name.removesuffix(".trace.json"), json.loads(_bytes(archive, name))


def captures(folder: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the name and the requests of each OTLP capture (JSON as protobuf prints it: ids in base64)."""
    for name in ("openinference", "openllmetry"):
        yield name, json.loads((folder / f"{name}.otlp.json").read_bytes())


def vercel_spans(archive: tarfile.TarFile) -> bytes:
    """Return the spans of the Vercel AI SDK test data as one request."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for found in json.loads(_bytes(archive, "all-spans.json")):
        span = spans.add(name=found["name"])
        span.trace_id = bytes.fromhex(found["spanContext"]["traceId"])
        span.span_id = bytes.fromhex(found["spanContext"]["spanId"])
        span.start_time_unix_nano = found["startTime"][0] * 10**9 + found["startTime"][1]
        span.end_time_unix_nano = found["endTime"][0] * 10**9 + found["endTime"][1]
        span.attributes.extend(_pair(key, value) for key, value in found["attributes"].items())
    return bytes(request.SerializeToString())


def _bytes(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(next(found for found in archive.getnames() if Path(found).name == Path(name).name))
    assert member is not None  # noqa: S101  # it was listed
    return member.read()


def replay_capture(requests: list[dict[str, Any]]) -> bytes:
    """Return captured requests as one."""
    whole = ExportTraceServiceRequest()
    for request in requests:
        whole.MergeFrom(json_format.ParseDict(request, ExportTraceServiceRequest()))
    return bytes(whole.SerializeToString())


def replay_langfuse(trace: dict[str, Any], *, as_langfuse: bool) -> bytes:
    """Return a Langfuse export as one request."""
    request = ExportTraceServiceRequest()
    for observation in trace["observations"]:
        metadata = _loaded(observation.get("metadata")) or {}
        scope = metadata.get("scope", {}).get("name", "")
        group = request.resource_spans.add()
        resource = metadata.get("resourceAttributes", {})
        group.resource.attributes.extend(_pair(key, value) for key, value in resource.items())
        scoped = group.scope_spans.add()
        scoped.scope.name = scope
        span = scoped.spans.add(name=observation["name"])
        span.trace_id = _id(observation["traceId"], 16)
        span.span_id = _id(observation["id"], 8)
        if observation.get("parentObservationId"):
            span.parent_span_id = _id(observation["parentObservationId"], 8)
        span.start_time_unix_nano = _nanoseconds(observation["startTime"])
        span.end_time_unix_nano = _nanoseconds(observation.get("endTime") or observation["startTime"])
        attributes = dict(metadata.get("attributes", {}))
        if as_langfuse or scope == "langfuse-sdk":
            _as_langfuse(attributes, observation)
        elif not scope.startswith(_COMPLETE) and scope in _NATIVE:
            models, tools = _NATIVE[scope]
            ran = observation["type"] == "TOOL" or "gen_ai.tool.name" in attributes
            for key, value in zip(
                tools if ran else models, (observation.get("input"), observation.get("output")), strict=True
            ):
                if value is not None:
                    attributes.setdefault(key, value if isinstance(value, str) else json.dumps(value))
        span.attributes.extend(_pair(key, value) for key, value in attributes.items())
    return bytes(request.SerializeToString())


def _as_langfuse(attributes: dict[str, Any], observation: dict[str, Any]) -> None:
    attributes["langfuse.observation.type"] = observation["type"].lower()
    for side in ("input", "output"):
        value = observation.get(side)
        if value is not None:
            attributes[f"langfuse.observation.{side}"] = value if isinstance(value, str) else json.dumps(value)
    if observation.get("model"):
        attributes["langfuse.observation.model.name"] = observation["model"]


def _loaded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _pair(key: str, value: Any) -> KeyValue:
    return KeyValue(key=key, value=_any(value))


def _any(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        made = AnyValue()
        made.array_value.values.extend(_any(entry) for entry in value)
        return made
    return AnyValue(string_value=value if isinstance(value, str) else json.dumps(value))


def _id(text: str, size: int) -> bytes:
    """Return an id's bytes; what is no hex of that length, as older exports have it, is hashed."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    return raw if len(raw) == size else hashlib.sha256(text.encode()).digest()[:size]


def _nanoseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000) * 1_000_000
