"""Bar 3: what detectors find in labelled text, how fast they read ordinary text, what is left of known people.

*Ordinary text* is what agents, users and tools said in recorded runs: the messages of tau's 200 airline runs and of the
first AgentDojo runs, message by message (some 600 and 300 characters each), all detectors on, with masking. Measured in
processor time of one core after one warm pass, because the matcher builds its automata while it reads.

*Known people*: tau's customers are registered (e-mail, street, name, birth dates of passengers too); every message of
every run becomes an item whose raw values the policy keeps, is redacted, written as canonical bytes, and then searched
for every known e-mail, birth date and street line, in any case. Then the same through a whole installation
(``bench.tau_on_disk``).
"""

import importlib
import json
import lzma
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench import pii
from bench.harness import Options, Result, data_folder
from sealgate.encoding.canonical import encode_arguments
from sealgate.model.errors import EncodingError
from sealgate.privacy import FieldPolicy, KnownValue, KnownValues, RedactionKeys, Scanner, redact_item, redact_text

STRICT_BAR: Final = 0.98
PHONE_BARS: Final = (0.80, 0.85)
VECTORS_BAR: Final = 0.95
SPEED_BAR_MB_S: Final = 20.0
DOJO_RUNS: Final = 400
KEEP_ALL: Final = {"defaults": {"content": "keep"}}


def people(folder: Path) -> tuple[KnownValues, set[str]]:
    """Return the registered values of all customers, and the texts of which nothing may be left, in lower case."""
    known = customers(folder)
    return KnownValues(known), {each.value.lower() for each in known if each.type != "name"}


def customers(folder: Path) -> list[KnownValue]:
    """Return the values of all customers, each customer with a token of its own."""
    with lzma.open(folder / "tau/users.json.xz") as stream:
        shops: dict[str, dict[str, Any]] = json.load(stream)
    found = enumerate(user for shop in shops.values() for _, user in _users(shop, ""))
    return [KnownValue(kind, value, f"sub_{number:026d}") for number, user in found for kind, value in _values(user)]


def _users(shop: dict[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if "email" in shop:
        yield name, shop
        return
    for key, value in shop.items():
        if isinstance(value, dict):
            yield from _users(value, key)


def _values(user: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "email", user["email"]
    yield "address", user["address"]["address1"]
    yield "name", f"{user['name']['first_name']} {user['name']['last_name']}"
    for person in (user, *user.get("saved_passengers", [])):
        if "dob" in person:
            yield "birth_date", person["dob"]


def tau_messages(folder: Path) -> list[dict[str, Any]]:
    """Return all messages of the 200 runs."""
    with lzma.open(folder / "tau/gpt-4o-airline_trajectories.json.xz") as stream:
        return [message for run_ in json.load(stream) for message in run_["traj"]]


def dojo_texts(folder: Path, runs: int) -> list[str]:
    """Return the texts of the messages of the first AgentDojo runs."""
    texts: list[Any] = []
    with lzma.open(folder / "agentdojo/runs_dev.jsonl.xz", "rt") as stream:
        for number, line in enumerate(stream):
            if number >= runs:
                break
            for message in json.loads(line)["messages"]:
                content = message.get("content")
                parts = content if isinstance(content, list) else [content]
                texts += [part["content"] if isinstance(part, dict) else part for part in parts]
    return [text for text in texts if isinstance(text, str)]


def as_item(message: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a message as the item that captures it, raw values and all."""
    content = message.get("content")
    raw = {"digest": None, "size_bytes": None, "media_type": None, "value": _parsed(content)}
    attributes: dict[str, Any] = {"extra": {"said": content}}
    if message["role"] == "tool":
        kind, attributes = "tool.call", attributes | {"tool": {"name": message.get("name", "tool")}, "output": raw}
    elif message["role"] == "assistant":
        calls = [_parsed(call["function"]["arguments"]) for call in message.get("tool_calls") or []]
        kind, attributes = "model.call", attributes | {"output": raw, "input": raw | {"value": calls}}
    else:
        kind, attributes = "input.received", attributes | {"content": raw}
    return {"item_id": f"{number:032x}", "kind": kind, "agent": "airline", "task_id": "t", "session_id": "s"} | {
        "salt": "AAAAAAAAAAAAAAAAAAAAAA", "classification": None, "subjects": [], "redactions": [],
        "attributes": attributes,
    }  # fmt: skip


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def left_over(folder: Path, messages: list[dict[str, Any]]) -> tuple[int, int, int]:
    """Return how many known texts are left in the canonical bytes, how many were there before, how many bytes."""
    known, gone = people(folder)
    policy, keys = FieldPolicy.from_mapping(KEEP_ALL), RedactionKeys()
    before: list[bytes] = []
    after: list[bytes] = []
    for number, message in enumerate(messages):
        item = as_item(message, number)
        before.append(_bytes(item))
        after.append(_bytes(redact_item(item, policy, keys, known).item))
    return count(after, gone), count(before, gone), sum(map(len, after))


def _bytes(item: dict[str, Any]) -> bytes:
    try:
        return encode_arguments(item)
    except EncodingError:
        return json.dumps(item, ensure_ascii=False).encode()


def count(written: list[bytes], gone: set[str]) -> int:
    """Return how often the texts that should be gone are in what was written, in any case."""
    text = b"\n".join(written).decode("utf-8", "replace").lower()
    return sum(text.count(value) for value in gone if value in text)


def megabytes_per_second(texts: list[str], scanner: Scanner) -> float:
    """Return the speed of ``redact_text`` in processor time, after a warm pass."""
    for text in texts:
        scanner.find(text)
    size = sum(len(text.encode()) for text in texts)
    started = time.process_time()
    for text in texts:
        redact_text(text, scanner)
    return size / (time.process_time() - started) / 1e6


def run(options: Options) -> Result:
    """Count and measure."""
    folder = data_folder()
    if folder is None:
        return Result("redact", {}, 0, "no data folder", ["the real data are missing (set SEALGATE_DATA)"])
    scanner = Scanner()
    figures: dict[str, Any] = {}
    missed: list[str] = []
    _documents(folder, scanner, figures, missed)
    _vectors(folder, figures, missed)
    messages = tau_messages(folder)
    tau = [message["content"] for message in messages if isinstance(message.get("content"), str)]
    dojo = dojo_texts(folder, DOJO_RUNS if not options.full else 1 << 30)
    figures["tau_mb_s"] = round(megabytes_per_second(tau, scanner), 1)
    figures["agentdojo_mb_s"] = round(megabytes_per_second(dojo, scanner), 1)
    figures["ordinary_text_mb_s"] = speed = round(megabytes_per_second([*tau, *dojo], scanner), 1)
    if speed < SPEED_BAR_MB_S:
        missed.append(f"{speed} MB/s is under {SPEED_BAR_MB_S}")
    left, before, size = left_over(folder, messages)
    figures |= {"known_values_left": left, "known_values_before": before, "tau_items": len(messages), "tau_bytes": size}
    if left or not before:
        missed.append(f"{left} of {before} known values left in tau's items")
    with tempfile.TemporaryDirectory(prefix="sealgate-bench-") as place:
        on_disk, wrong = importlib.import_module("bench.tau_on_disk").measure(
            Path(place), folder, None if options.full else 600
        )
    figures |= on_disk
    missed += wrong
    measured_on = (
        "labelled documents and vectors of presidio; ordinary text: tau and AgentDojo messages, one core, warm"
    )
    return Result("redact", figures, len(messages), measured_on, missed)


def _documents(folder: Path, scanner: Scanner, figures: dict[str, Any], missed: list[str]) -> None:
    documents = pii.documents(folder)
    halves = {"": documents, "_held_out_half": documents[1::2]}
    for suffix, items in halves.items():
        for name, score in pii.score_documents(items, scanner).items():
            recall, precision = score.recall(), score.precision()
            figures[f"{name}_recall{suffix}"], figures[f"{name}_precision{suffix}"] = (
                round(recall, 4),
                round(precision, 4),
            )
            bars = PHONE_BARS if name == "phone" else (STRICT_BAR, STRICT_BAR)
            if not suffix and (recall < bars[0] or precision < bars[1]):
                missed.append(f"{name}: recall {recall:.3f}, precision {precision:.3f}")


def _vectors(folder: Path, figures: dict[str, Any], missed: list[str]) -> None:
    vectors = pii.vectors(folder)
    for suffix, items in {"": vectors, "_held_out_half": vectors[1::2]}.items():
        right, total, _, excluded = pii.score_vectors(items)
        share = sum(right.values()) / sum(total.values())
        figures[f"vectors_right{suffix}"] = round(share, 4)
        if not suffix:
            figures |= {"vectors": sum(total.values()), "vector_types": len(total), "vectors_excluded": excluded}
            if share < VECTORS_BAR:
                missed.append(f"{share:.3f} of the vectors right")
