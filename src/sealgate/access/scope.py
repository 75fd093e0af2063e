"""From a filter to the box that it asks about, and back: what a grant leaves open is narrowed, never widened."""

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from sealgate.evidence.answers import Filter
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.grants import Grant, unix_ms
from sealgate.policy.reading import FOREVER_MS, Box, Part, Reading

PART_OF_FIELD: Final[dict[str, Part]] = {
    "outcome": Part.DECISION,
    "reason": Part.DECISION,
    "policy": Part.DECISION,
    "policies": Part.DECISION,
    "policy_version": Part.DECISION,
    "principal": Part.PEOPLE,
    "request_id": Part.PEOPLE,
    "subject": Part.SUBJECTS,
    "subjects": Part.SUBJECTS,
    "classification": Part.SUBJECTS,
    "text": Part.CONTENT,
    "rest": Part.CONTENT,
}
"""Which part of a record a member belongs to; every other one is of the envelope."""

_NEVER_RECORDED: Final = frozenset({"text"})
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:/+*-]{1,128}", re.ASCII)
"""What names and ids look like. Anything else was typed by a person and may be about one: it is not recorded."""


def box_of(grant: Grant) -> Box:
    """Return the box that a grant is limited to."""
    return Box(
        agents=frozenset(grant.agents) or None,
        kinds=frozenset(grant.kinds) or None,
        since_ms=unix_ms(grant.since) if grant.since else 0,
        until_ms=unix_ms(grant.until) if grant.until else FOREVER_MS,
    )


def asked(what: Filter) -> Box:
    """Return the box that a filter asks about.

    Raises:
        InputError: a time cannot be read.
    """
    since = unix_ms(what.since) if what.since else 0
    until = unix_ms(what.until) if what.until else FOREVER_MS
    if since >= until:
        raise InputError(f"the time from {what.since} to {what.until} is empty", hint="give the earlier time first")
    return Box(
        agents=None if what.agent is None else frozenset({what.agent}),
        kinds=None if what.kind is None else frozenset({what.kind}),
        since_ms=max(0, since),
        until_ms=min(FOREVER_MS, until),
    )


def narrowed(what: Filter, reading: Reading) -> list[Filter]:
    """Return the filters to judge for this reader, the widest first: as asked, then within what is its own."""
    first = _within(what, reading.box)
    choices = [first]
    if first.agent is None and reading.own is not None and len(reading.own) == 1:
        choices.append(msgspec.structs.replace(first, agent=next(iter(reading.own))))
    return choices


def _within(what: Filter, box: Box) -> Filter:
    changes: dict[str, Any] = {}
    wanted = asked(what)
    if box.since_ms > wanted.since_ms and what.since is None:
        changes["since"] = text_of(box.since_ms)
    if box.until_ms < wanted.until_ms and what.until is None:
        changes["until"] = text_of(box.until_ms)
    if what.agent is None and box.agents is not None and len(box.agents) == 1:
        changes["agent"] = next(iter(box.agents))
    if what.kind is None and box.kinds is not None and len(box.kinds) == 1:
        changes["kind"] = next(iter(box.kinds))
    return msgspec.structs.replace(what, **changes) if changes else what


def favourable(reading: Reading) -> list[Box]:
    """Return the boxes by which it is judged whether an operation may be asked, before what it finds is known."""
    box = reading.box
    return [box, msgspec.structs.replace(box, agents=reading.own)] if reading.own else [box]


def require_visible(names: tuple[str, ...], parts: frozenset[Part]) -> None:
    """Refuse a question about what its asker may not see: matching it would tell.

    Raises:
        NotPermittedError: names the member.
    """
    for name in names:
        part = PART_OF_FIELD.get(name, Part.ENVELOPE)
        if part not in parts:
            raise NotPermittedError(
                f"`{name}` is hidden from this role, so it cannot be asked about",
                code="read-refused",
                hint="leave it out, or ask for a role that sees it",
            )


def terms(what: Filter) -> list[dict[str, str | None]]:
    """Return a filter as an access record keeps it: no text that a person typed."""
    given = msgspec.to_builtins(what)
    return [{"field": name, "value": None if name in _NEVER_RECORDED else plain(str(given[name]))} for name in given]


def plain(text: str) -> str | None:
    """Return what may stand in an access record: a name or id as it is, anything else not at all."""
    return text if _PLAIN.fullmatch(text) else None


def text_of(unix: int) -> str:
    """Return Unix milliseconds as RFC 3339 UTC."""
    seconds, millis = divmod(unix, 1000)

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{millis:03}Z"
