"""AuthZEN's boxcar: many evaluations in one request, with defaults and three ways to stop early.

Pure but for the one decision function it is given. An evaluation that cannot be understood is an evaluation-level
error with ``decision: false``; the others are still decided (Authorization API 1.0, section 7.2.1).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

import msgspec

from sealgate.encoding import canonical
from sealgate.model.errors import InputError, SealgateError
from sealgate.model.evaluation import EvaluationRequest, EvaluationResponse
from sealgate.model.limits import MAX_BATCH_EVALUATIONS

from .decoding import fit, without_foreign
from .problems import Problem, describe

Semantic = Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"]

_STOPS_ON: Final[dict[Semantic, bool | None]] = {
    "execute_all": None,
    "deny_on_first_deny": False,
    "permit_on_first_permit": True,
}
"""The decision after which the rest is not asked."""

_REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "subject": ("type", "id"),
    "action": ("name",),
    "resource": ("type", "id"),
}
_DEFAULTS: Final = (*_REQUIRED, "context")


class ErrorContext(msgspec.Struct, frozen=True):
    """Why an evaluation of a batch could not be asked."""

    error: Problem
    outcome: Literal["SILENCE"] = "SILENCE"


class EvaluationError(msgspec.Struct, frozen=True):
    """An evaluation of a batch that could not be asked. Nothing was decided, so the answer is no."""

    context: ErrorContext
    decision: Literal[False] = False


Answer = EvaluationResponse | EvaluationError


class EvaluationsResponse(msgspec.Struct, frozen=True):
    """The answers in the order of the questions; shorter than them where the semantic stopped early."""

    evaluations: list[Answer]


class Batch(msgspec.Struct, frozen=True):
    """The questions with their defaults filled in, not yet checked one by one; ``None`` is a single evaluation."""

    questions: list[dict[str, Any]]
    semantic: Semantic
    strict: bool


Decide = Callable[[EvaluationRequest, int], Awaitable[EvaluationResponse]]
"""Decides one question; the number is its place in the batch."""


def read(body: bytes, *, max_bytes: int, strict: bool) -> Batch | EvaluationRequest:
    """Return the batch, or the single request where there are no ``evaluations`` (section 7.1 of the specification).

    Raises:
        EncodingError: the body is not strict JSON.
        InputError: the payload as a whole does not fit.
    """
    value = canonical.parse(body, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise InputError("the body is not an object", hint="send subject, action, resource or evaluations")
    defaults = {name: value[name] for name in _DEFAULTS if name in value}
    evaluations = value.get("evaluations", [])
    semantic = _semantic(value.get("options", {}))
    if strict and (foreign := value.keys() - {*_DEFAULTS, "evaluations", "options"}):
        raise InputError(f"the body has an unknown member `{min(foreign)[:80]}`", hint="see /openapi.json")
    if not isinstance(evaluations, list):
        raise InputError("`evaluations` is not an array", hint="see /openapi.json")
    items = [item for item in evaluations if isinstance(item, dict)]
    if len(items) < len(evaluations):
        raise InputError("an item of `evaluations` is not an object", hint="see /openapi.json")
    if len(items) > MAX_BATCH_EVALUATIONS:
        raise InputError(f"{len(items)} evaluations in one request", hint=f"send at most {MAX_BATCH_EVALUATIONS}")
    if not items:
        return fit(defaults if strict else without_foreign(defaults), EvaluationRequest)
    return Batch([_filled(item, defaults) for item in items], semantic, strict)


def _semantic(options: Any) -> Semantic:
    if not isinstance(options, dict):
        raise InputError("`options` is not an object", hint="leave it out or send an object")
    semantic = options.get("evaluations_semantic", "execute_all")
    if not isinstance(semantic, str) or semantic not in _STOPS_ON:
        raise InputError("`options.evaluations_semantic` is unknown", hint=f"send one of {', '.join(_STOPS_ON)}")
    return semantic


def _filled(item: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Fill in what ``item`` leaves out: a whole entity, or a required member of the entity it names."""
    filled = {**defaults, **item}
    for name, required in _REQUIRED.items():
        own, default = item.get(name), defaults.get(name)
        if isinstance(own, dict) and isinstance(default, dict):
            filled[name] = {**{member: default[member] for member in required if member in default}, **own}
    return filled


async def decide_all(batch: Batch, decide: Decide) -> EvaluationsResponse:
    """Ask every question, or as many as the semantic needs.

    ``execute_all`` asks them together, in order, so that they share one write to disk; the others one after another.
    """
    stops_on = _STOPS_ON[batch.semantic]
    numbered = enumerate(batch.questions)
    if stops_on is None:
        asked = (_ask(question, number, batch.strict, decide) for number, question in numbered)
        return EvaluationsResponse(list(await asyncio.gather(*asked)))
    answers: list[Answer] = []
    for number, question in numbered:
        answers.append(await _ask(question, number, batch.strict, decide))
        if answers[-1].decision is stops_on:
            break
    return EvaluationsResponse(answers)


async def _ask(question: dict[str, Any], number: int, strict: bool, decide: Decide) -> Answer:  # noqa: FBT001  # private
    try:
        return await decide(fit(question if strict else without_foreign(question), EvaluationRequest), number)
    except SealgateError as error:
        return EvaluationError(ErrorContext(describe(error)))
