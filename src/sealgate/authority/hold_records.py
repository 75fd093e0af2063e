"""Holds as records tell them: read at a start, written by ``holds``."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sealgate.model.errors import InputError
from sealgate.model.identifiers import require_name
from sealgate.model.records import Kind
from sealgate.retention.holds import Hold, Selection, Stage

LISTS: Final = ("subjects", "tasks", "agents", "classes", "records")


def selection(members: Mapping[str, Any]) -> Selection:
    """Return the selection of a record or a request; times are RFC 3339 there.

    Raises:
        InputError: a name or a time is malformed.
    """
    lists = {name: tuple(require_name(item, name) for item in members.get(name) or ()) for name in LISTS}
    return Selection(**lists, since_ms=_ms(members.get("since")), until_ms=_ms(members.get("until")))


def _ms(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"`{text[:64]}` is no RFC 3339 time", hint="e.g. 2026-11-01T00:00:00Z") from error
    if time.tzinfo is None:
        raise InputError(f"`{text[:64]}` has no time zone", hint="end it with Z")
    return round(time.timestamp() * 1000)


def apply(holds: dict[str, Hold], body: Mapping[str, Any]) -> None:
    """Take in a hold's record; what ``state.Memory`` does at a replay."""
    hold_id, placing = body["hold_id"], body["kind"] == Kind.HOLD_PLACED
    known = holds.get(hold_id)
    if body["stage"] == "confirmed":
        if known is not None:
            stage = Stage.PLACED if placing else Stage.RELEASED
            holds[hold_id] = replace(known, stage=stage, confirmed_by=body["principal"])
    elif placing:
        holds[hold_id] = Hold(hold_id, selection(body["selection"]), body["reason"], Stage.REQUESTED, body["principal"])
    elif known is not None:
        holds[hold_id] = replace(
            known, stage=Stage.RELEASE_REQUESTED, requested_by=body["principal"], confirmed_by=None
        )
