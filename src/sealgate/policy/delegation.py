"""Delegations judged: is one narrower than another, does one cover an action. Pure; no link ever widens another.

``problem_of`` asks one link. The whole chain covers an action only if each link does, so what a link below says can
only take away. ``narrowed`` refuses a link that says more than the one above, for the sake of who reads it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from sealgate.model.delegations import ALL, MAX_BOUNDS, MAX_NAMES, Bound, Delegation
from sealgate.model.errors import InputError
from sealgate.model.identifiers import require_name

_AMOUNT: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,18})?", re.ASCII)

Json = Any


def narrowed(
    above: Delegation | None,
    *,
    tools: Sequence[str] | None,
    resources: Sequence[str] | None,
    bounds: Sequence[Bound],
) -> tuple[list[str], list[str], list[Bound]]:
    """Return the tools, resources and bounds of a new link below ``above``; what is left out is inherited.

    Raises:
        InputError: a name or bound is malformed, or would be wider than the link above.
    """
    if above is None and tools is None:
        raise InputError("a first delegation names no tools", hint="name each, or `*`")
    own_tools = _names(tools if tools is not None else above.tools if above else [], "tool")
    own_resources = _names(resources if resources is not None else above.resources if above else [ALL], "resource")
    if len(bounds) > MAX_BOUNDS:
        raise InputError(f"a delegation has at most {MAX_BOUNDS} bounds")
    for bound in bounds:
        _check(bound)
    if above is None:
        return own_tools, own_resources, list(bounds)
    _require_within("tool", own_tools, above.tools)
    _require_within("resource", own_resources, above.resources)
    return own_tools, own_resources, _joined(own_tools, bounds, above)


def _require_within(what: str, own: list[str], limit: list[str]) -> None:
    if limit != [ALL] and (own == [ALL] or not set(own) <= set(limit)):
        raise InputError(f"the delegation names a {what} that the one above does not", hint="delegate less")


def _joined(own_tools: list[str], bounds: Sequence[Bound], above: Delegation) -> list[Bound]:
    """Return own bounds and those inherited; refuse one that is wider than that above on the same argument."""
    kept = [bound for bound in above.bounds if own_tools == [ALL] or bound.tool in own_tools or bound.tool == ALL]
    for bound in bounds:
        for limit_of in kept:
            if (limit_of.tool, limit_of.argument) == (bound.tool, bound.argument) and _wider(bound, limit_of):
                raise InputError(f"the bound on `{bound.argument:.80}` is wider than the one above", hint="bound less")
    joined = [*bounds, *(bound for bound in kept if bound not in bounds)]
    if len(joined) > 2 * MAX_BOUNDS:
        raise InputError("the delegation inherits too many bounds", hint="delegate fewer tools")
    return joined


def problem_of(link: Delegation, tool: str, resource: str, arguments: Mapping[str, Json]) -> str:
    """Return why a link does not cover an action, or nothing."""
    if link.tools != [ALL] and tool not in link.tools:
        return f"tool `{tool:.80}` is not delegated"
    if link.resources != [ALL] and resource not in link.resources:
        return f"resource `{resource:.80}` is not delegated"
    for bound in link.bounds:
        if bound.tool in (tool, ALL) and not _within(bound, arguments):
            return f"argument `{bound.argument:.80}` is beyond what is delegated"
    return ""


def _names(names: Iterable[str], what: str) -> list[str]:
    found = sorted(set(names))
    if not found or len(found) > MAX_NAMES or (ALL in found and found != [ALL]):
        raise InputError(f"name 1 to {MAX_NAMES} {what}s, or `*` alone")
    return [require_name(name, what) for name in found]


def _check(bound: Bound) -> None:
    require_name(bound.tool, "tool")
    require_name(bound.argument, "argument")
    if bound.max is None and bound.min is None and bound.one_of is None:
        raise InputError(f"the bound on `{bound.argument}` bounds nothing", hint="give `max`, `min` or `one_of`")
    for amount in (bound.max, bound.min):
        if amount is not None and not _AMOUNT.fullmatch(amount):
            raise InputError(f"`{amount[:40]}` is not an exact amount", hint='write decimals as text: "99.50"')
    if bound.one_of is not None and not 0 < len(bound.one_of) <= MAX_NAMES:
        raise InputError(f"the bound on `{bound.argument}` lists no value, or more than {MAX_NAMES}")


def _wider(own: Bound, above: Bound) -> bool:
    if above.max is not None and own.max is not None and Decimal(own.max) > Decimal(above.max):
        return True
    if above.min is not None and own.min is not None and Decimal(own.min) < Decimal(above.min):
        return True
    return above.one_of is not None and own.one_of is not None and not set(own.one_of) <= set(above.one_of)


def _within(bound: Bound, arguments: Mapping[str, Json]) -> bool:
    if bound.argument not in arguments:
        return False
    value = arguments[bound.argument]
    if bound.max is not None or bound.min is not None:
        amount = _amount(value)
        if amount is None:
            return False
        if (bound.max is not None and amount > Decimal(bound.max)) or (
            bound.min is not None and amount < Decimal(bound.min)
        ):
            return False
    if bound.one_of is not None:
        values = value if isinstance(value, list) else [value]
        return bool(values) and all(isinstance(each, str) and each in bound.one_of for each in values)
    return True


def _amount(value: Json) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and not _AMOUNT.fullmatch(value):
        return None
    try:
        amount = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
