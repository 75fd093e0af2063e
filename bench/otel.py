"""Bar 5 of the record: tool calls recovered from the telemetry of 20 agent frameworks, OpenInference and OpenLLMetry.

``otel_truth`` reads every file by itself and lists each tool call that occurs in it in any form. ``otel_replay`` makes
OTLP requests of the same files. Those go through our decoder and table as if an exporter had sent them; then each call
of the list is looked for among the ``tool.call`` items of its trace: same name, equal arguments, and the same call id
where both tell one. Calls that nobody made are counted too. The Langfuse traces are an export of a server that moved
inputs and outputs out of the attributes, so they are replayed twice: with Langfuse's own attribute names, and with
those the framework had sent. Both must pass.
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
        wanted, found, lost, invented = measure(folder / "otel", as_langfuse=as_langfuse)
        share = 100.0 * sum(found.values()) / max(1, sum(wanted.values()))
        figures |= {
            f"{label}_percent": round(share, 1),
            f"{label}_calls": sum(wanted.values()),
            f"{label}_recovered": sum(found.values()),
            f"{label}_lost": lost,
            f"{label}_invented": invented,
        }
        if share < BAR_PERCENT or not wanted:
            missed.append(f"{label}: {share:.1f} % of the tool calls recovered, {BAR_PERCENT} % asked")
        figures["calls_by_file"] = {name: f"{found[name]}/{count}" for name, count in sorted(wanted.items())}
    figures["files"] = len(figures["calls_by_file"])
    return Result("otel", figures, len(tables), "20 Langfuse framework traces, two OTLP captures", missed)


def measure(folder: Path, *, as_langfuse: bool) -> tuple[Counter[str], Counter[str], list[str], list[str]]:
    """Return calls by file, how many of them were recovered, those that were not, and calls that nobody made."""
    wanted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    lost: list[str] = []
    invented: list[str] = []

    def compare(name: str, truth: list[Call], request: bytes) -> None:
        wanted[name] = len(truth)
        items = [item["attributes"] for item in mapped_items(request).items if item["kind"] == "tool.call"]
        missing = unmatched(truth, items)
        found[name] = len(truth) - len(missing)
        lost.extend(f"{name}: {call.name} {call.arguments}"[:200] for call in missing)
        made = [item for item in items if not any(_is(call, item) for call in truth) and item["input"] is not None]
        invented.extend(f"{name}: {item['tool']['name']} {item['input']['value']}"[:200] for item in made)

    for name, trace in langfuse_traces(folder):
        compare(name, calls_in_trace(trace), replay_langfuse(trace, as_langfuse=as_langfuse))
    for name, requests in captures(folder):
        compare(name, calls_in_capture(requests), replay_capture(requests))
    return wanted, found, lost, invented


def unmatched(truth: list[Call], items: list[dict[str, Any]]) -> list[Call]:
    """Return the calls that no item tells of, with name and arguments. One item stands for one call that has an id."""
    left = list(items)
    missing: list[Call] = []
    for call in sorted(truth, key=lambda call: call.call_id is None):
        match = next((item for item in left if _is(call, item)), None)
        if match is None:
            missing.append(call)
        elif call.call_id is not None:
            left.remove(match)
    return missing


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
