"""Bar 5 of the record: tool calls recovered from the telemetry of 20 agent frameworks, OpenInference and OpenLLMetry.

``otel_truth`` reads every file by itself and lists each tool call that occurs in it in any form. ``otel_replay`` makes
OTLP requests of the same files. Those go through our decoder and table as if an exporter had sent them; then each call of
the list is looked for among the ``tool.call`` items of its trace: same name, equal arguments, and the same call id where
both tell one. The Langfuse traces are an export of a server that moved inputs and outputs out of the attributes, so they
are replayed twice: with Langfuse's own attribute names, and with those the framework had sent. Both must pass.
"""

import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

from bench.harness import Options, Result, data_folder
from bench.otel_replay import captures, langfuse_traces, replay_capture, replay_langfuse, vercel_spans
from bench.otel_truth import Call, calls_in_capture, calls_in_trace
from sealgate.telemetry.mapping import Mapped, Sender, map_spans
from sealgate.telemetry.protobuf import decode_traces

BAR_PERCENT = 95.0


def run(options: Options) -> Result:
    """Read every file twice, once for the truth and once as telemetry."""
    del options  # the whole data fits in a second
    folder = data_folder()
    if folder is None:
        return Result("otel", {"recovered_percent": 0}, 0, "nothing: the data folder is missing", ["data is missing"])
    tables = {"as_langfuse_sends": True, "as_the_framework_sent": False}
    figures: dict[str, Any] = {}
    missed: list[str] = []
    for label, as_langfuse in tables.items():
        wanted, found, lost = measure(folder / "otel", as_langfuse=as_langfuse)
        share = 100.0 * sum(found.values()) / max(1, sum(wanted.values()))
        figures |= {
            f"{label}_percent": round(share, 1),
            f"{label}_calls": sum(wanted.values()),
            f"{label}_recovered": sum(found.values()),
            f"{label}_lost": lost,
        }
        if share < BAR_PERCENT or not wanted:
            missed.append(f"{label}: {share:.1f} % of the tool calls recovered, {BAR_PERCENT} % asked")
        figures["calls_by_file"] = {name: f"{found[name]}/{count}" for name, count in sorted(wanted.items())}
    figures["files"] = len(figures["calls_by_file"])
    return Result("otel", figures, len(tables), "20 Langfuse framework traces, two OTLP captures", missed)


def measure(folder: Path, *, as_langfuse: bool) -> tuple[Counter[str], Counter[str], list[str]]:
    """Return calls by file, how many of them were recovered, and those that were not."""
    wanted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    lost: list[str] = []
    for name, trace in langfuse_traces(folder):
        _compare(name, calls_in_trace(trace), replay_langfuse(trace, as_langfuse=as_langfuse), wanted, found, lost)
    for name, requests in captures(folder):
        _compare(name, calls_in_capture(requests), replay_capture(requests), wanted, found, lost)
    return wanted, found, lost


def _compare(
    name: str, truth: list[Call], request: bytes, wanted: Counter[str], found: Counter[str], lost: list[str]
) -> None:
    mapped = mapped_items(request)
    left = [item for item in mapped.items if item["kind"] == "tool.call"]
    wanted[name] = len(truth)
    for call in sorted(truth, key=lambda call: call.call_id is None):
        match = next((item for item in left if _is(call, item["attributes"])), None)
        if match is None:
            lost.append(f"{name}: {call.name} {call.arguments}"[:200])
        else:
            found[name] += 1
            if call.call_id is not None:  # one item stands for one call
                left.remove(match)


def _is(call: Call, attributes: dict[str, Any]) -> bool:
    content = attributes["input"]
    return (
        attributes["tool"]["name"] == call.name
        and content is not None
        and content["value"] == call.arguments
        and (call.call_id is None or attributes["call_id"] in {None, call.call_id})
    )


def mapped_items(request: bytes) -> Mapped:
    """Return what our decoder and table make of a request."""
    decoded = decode_traces(request)
    if decoded.rejected:
        raise AssertionError(f"rejected: {dict(decoded.rejected)}")
    return map_spans(decoded.good, Sender("bench", "bench-agent"))


def spans_of_vercel(folder: Path) -> bytes:
    """Return the OpenInference test spans of the Vercel AI SDK as an OTLP request: they hold no tool call."""
    with tarfile.open(folder / "openinference-v6-spans.tar.xz") as archive:
        return vercel_spans(archive)
