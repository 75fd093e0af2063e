"""``python -m sealgate.telemetry.reference > docs/reference/telemetry.md`` writes the reference of the table."""

import sys
from collections.abc import Iterator
from typing import Final

from .bounds import DEFAULT
from .convention import KIND_OF_ROLE, Convention, Mark
from .conventions import CONVENTIONS, INDEXED_CALLS, INDEXED_CONTENT
from .log_events import LOG_EVENTS, REPEATED_MESSAGES

_HEAD: Final = """# Telemetry

Which spans and log records of OpenTelemetry become which items. Made from `conventions.py` and `log_events.py` in
`sealgate/telemetry`; how to send them: [Send OpenTelemetry](../how-to/send-opentelemetry.md). Shapes of items:
[item.json](../../schema/item.json).

Everything that comes this way has `coverage` `observed` and `source` `otlp`, and names the convention it is written in.
"""

_TAIL: Final = """## What a span becomes

- A span that ran a tool is a `tool.call` with `extra.stage` `executed`: tool, call id, arguments, result, duration.
  `outcome` is `failed` where the status or `error.type` says so, `succeeded` where the status is OK or a result is
  there, and null where nobody says anything.
- A call to a model is a `model.call`. Each tool call in its answer is a `tool.call` with `extra.stage` `requested`; its
  parent is the model's span: it was asked for. Whether it was made is the other item, with the same `call_id`.
- A retrieval is a `context.retrieved` with at most 32 of its documents; the others are counted.
- An agent's span and any other step is an `event.logged`; its inputs and outputs are told by the calls beneath it.
- A span whose status is ERROR also gives an `error` item, unless its own item has the error.
- A span that no convention knows is an `event.logged` with up to 32 short attributes, or with `otlp.unknown = "skip"`
  nothing but a count (`unknown_convention`).

Inputs and outputs are redacted by the field policy before anything is kept; without a policy only digests are.

## Ids

An `item_id` is a UUIDv7: the time is the span's start, all else is SHA-256 of sender, trace id, span id and part.
The same span sent again, by whatever way, has the same ids and counts once. A log record has no id; its content stands
in for it.

The agent is the first of `otlp.agent_attributes` that the span or its resource has; `unknown_service…` does not count.
Without one it is the one agent that the sender's key is for, or else the sender itself.
"""


def page() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## Roles\n"
    yield "| role | item |\n| --- | --- |"
    for role, kind in KIND_OF_ROLE.items():
        yield f"| {role} | `{kind}` |"
    yield "\n## Conventions\n"
    yield "Tried in this order; the first mark that fits gives the role. Facts come from the attributes of all of them,"
    yield "an earlier convention before a later one, because real spans mix them.\n"
    for convention in CONVENTIONS:
        yield from _convention(convention)
    yield "## Flattened messages\n"
    yield "`*` is a number.\n\n| attributes | what they are |\n| --- | --- |"
    for prefix, parts in INDEXED_CALLS.items():
        for part, fact in parts.items():
            yield f"| `{prefix}{part}` | {fact} of a call that was asked for |"
    for prefix, side in INDEXED_CONTENT.items():
        yield f"| `{prefix}*` | {side} |"
    yield "\n## Log records\n"
    yield "| event name | item | convention | attributes |\n| --- | --- | --- | --- |"
    for name, event in LOG_EVENTS.items():
        facts = "; ".join(f"{fact}: {_names(names)}" for fact, names in event.facts.items())
        yield f"| `{name}` | `{event.kind}` | {event.convention} | {facts or 'as of a span'} |"
    yield f"\nSkipped and counted (`repeated_message`): {_names(sorted(REPEATED_MESSAGES))}. Records of severity"
    yield "ERROR and above are `error` items; all others are events, or counted (`unknown_event`).\n"
    yield _TAIL
    yield "## Bounds\n"
    yield "| what | most | beyond it |\n| --- | --- | --- |"
    yield f"| unpacked bytes of a request (`otlp.max_request_bytes`) | {DEFAULT.max_bytes:,} | it is refused |"
    yield f"| spans or log records of a request | {DEFAULT.max_spans:,} | it is refused |"
    yield f"| attributes of a span, event or resource | {DEFAULT.max_attributes:,} | `too_many_attributes` |"
    yield f"| events or links of a span | {DEFAULT.max_events:,} | `too_many_attributes` |"
    yield f"| nesting of a value | {DEFAULT.max_depth} | `too_deep` |"
    yield "\nA span is also rejected for `invalid_trace_id`, `invalid_span_id`, `invalid_time` and (JSON) `malformed`,"
    yield "and for what the [collector](collector.md) refuses an item for. The others are kept: the answer is"
    yield "a partial success that counts each reason."
    yield "\nA JSON request in which a key comes twice in one object is refused: readers differ on it."


def _convention(convention: Convention) -> Iterator[str]:
    yield f"### `{convention.name}`\n\n{convention.title}.\n"
    for mark in convention.marks:
        yield f"- {_mark(mark)}"
    if convention.marks:
        yield ""
    rows = [("any", fact, names) for fact, names in convention.every.items()]
    rows += [(str(role), fact, names) for role, facts in convention.facts.items() for fact, names in facts.items()]
    if rows:
        yield "| role | fact | attributes |\n| --- | --- | --- |"
        for role, fact, names in rows:
            yield f"| {role} | {fact} | {_names(names)} |"
        yield ""


def _mark(mark: Mark) -> str:
    groups: dict[str, list[str]] = {}
    for value, role in mark.roles.items():
        groups.setdefault(str(role), []).append(f"`{value}`")
    said = [f"{', '.join(values)}: {role}" for role, values in groups.items()]
    if mark.otherwise is not None:
        said.append(f"{'anything else' if said else 'present'}: {mark.otherwise}")
    return f"`{mark.attribute}` = {'; '.join(said)}" if mark.roles else f"`{mark.attribute}` {said[0]}"


def _names(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.stdout.write(page())
