"""The few query strings that this API reads. Strict: what is not known is refused, not ignored."""

from typing import Final
from urllib.parse import parse_qsl

from sealgate.model.errors import InputError
from sealgate.model.lifecycle import ApprovalState

_MAX_WAIT_S: Final = 30


def _only(query: str, name: str) -> list[str]:
    """Return the values of the one parameter that is allowed here.

    Raises:
        InputError: the query is malformed or has another one.
    """
    if not query:
        return []
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=16)
    except ValueError as error:
        raise InputError("the query cannot be read", hint=f"only `{name}` is read here") from error
    for key, _ in pairs:
        if key != name:
            raise InputError(f"`{key[:40]}` is not a parameter here", hint=f"only `{name}` is")
    return [value for _, value in pairs]


def wait_s(query: str) -> float:
    """Return the seconds of ``wait_s``, 0 without one.

    Raises:
        InputError: not a whole number from 0 to 30.
    """
    values = _only(query, "wait_s")
    if not values:
        return 0.0
    text = values[0]
    if len(values) > 1 or not (text.isascii() and text.isdigit()) or len(text) > 2 or int(text) > _MAX_WAIT_S:
        raise InputError(f"`wait_s` is not a whole number from 0 to {_MAX_WAIT_S}")
    return float(text)


def states(query: str) -> list[str]:
    """Return the states that ``state`` names, ``requested`` without any.

    Raises:
        InputError: one is not the state of an approval.
    """
    values = _only(query, "state") or [ApprovalState.REQUESTED.value]
    known = [state.value for state in ApprovalState]
    for value in values:
        if value not in known:
            raise InputError(f"`{value[:40]}` is not a state of an approval", hint=f"one of {', '.join(known)}")
    return values
