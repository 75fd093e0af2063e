"""Faults for the decision function: each turns a request that is permitted into one that must not be.

A fault is applied to a case whose request is known to be permitted (the positive control). It breaks one thing:
entities, context, a policy, the engine itself, or the engine's answer.
"""

import random
from collections.abc import Callable
from typing import Any

import orjson
from cedarpy import _internal

from bench.cedar_corpus import Loaded
from sealgate.model.errors import SealgateError
from sealgate.policy.engine import Authorize, Evaluator, Question, Verdict
from sealgate.policy.entities import EntityStore
from sealgate.policy.policy_set import parse_policies

REFUSED = "refused at load"
Fault = Callable[[Loaded, Question, random.Random], Verdict | str]


def _evaluate(
    loaded: Loaded,
    asked: Question,
    *,
    extra: str = "",
    entities: EntityStore | None = None,
    authorize: Authorize = _internal.is_authorized_batch,
) -> Verdict | str:
    policies = dict(loaded.policies)
    try:
        policies |= {f"fault{n}": policy for n, policy in enumerate(parse_policies(extra, "fault"))}
        store = entities if entities is not None else loaded.entities
        return Evaluator(policies, store, loaded.schema, authorize=authorize).evaluate(asked)
    except SealgateError:
        return REFUSED


class PanicException(BaseException):  # the name that the engine's binding uses
    """Stands for the engine's panic, which is not an Exception."""


def engine_raises(loaded: Loaded, asked: Question, rng: random.Random) -> Verdict | str:
    """The engine throws."""
    error = rng.choice([ValueError("x"), RuntimeError(), MemoryError(), OSError(5, "x"), PanicException("x")])

    def authorize(*_: Any) -> list[str]:
        raise error

    return _evaluate(loaded, asked, authorize=authorize)


def answer_cut(loaded: Loaded, asked: Question, rng: random.Random) -> Verdict | str:
    """The answer ends too early."""

    def authorize(*arguments: Any) -> list[str]:
        (raw,) = _internal.is_authorized_batch(*arguments)
        return [raw[: rng.randrange(len(raw) - 1)]]

    return _evaluate(loaded, asked, authorize=authorize)


def answer_count(loaded: Loaded, asked: Question, rng: random.Random) -> Verdict | str:
    """There is no answer, or there are several."""
    times = rng.choice([0, 2, 3])

    def authorize(*arguments: Any) -> list[str]:
        return list(_internal.is_authorized_batch(*arguments)) * times

    return _evaluate(loaded, asked, authorize=authorize)


def answer_changed(loaded: Loaded, asked: Question, rng: random.Random) -> Verdict | str:
    """The answer contradicts itself or names what it was not given."""
    changes: list[Callable[[dict[str, Any]], None]] = [
        lambda answer: answer.update(decision=rng.choice(["allow", "ALLOW", "Permit", "", None, True, 1, ["Allow"]])),
        lambda answer: answer["diagnostics"].update(reason=[]),
        lambda answer: answer["diagnostics"].update(reason=["policy999"]),
        lambda answer: answer["diagnostics"].update(reason=None),
        lambda answer: answer["diagnostics"].update(errors=["something erred"]),
        lambda answer: answer["diagnostics"].update(errors=None),
        lambda answer: answer.pop("diagnostics"),
        lambda answer: answer.pop("decision"),
        lambda answer: answer.update(decision="Deny"),
    ]
    change = rng.choice(changes)

    def authorize(*arguments: Any) -> list[str]:
        answer = orjson.loads(_internal.is_authorized_batch(*arguments)[0])
        change(answer)
        return [orjson.dumps(answer).decode()]

    return _evaluate(loaded, asked, authorize=authorize)


def policy_errs(loaded: Loaded, asked: Question, rng: random.Random) -> Verdict | str:
    """One more policy applies and errs."""
    effect = rng.choice(["permit", "forbid"])
    body = rng.choice(
        [
            "9223372036854775807 + 1 == 0",
            "principal.no_such_attribute_here",
            "context.no_such_attribute_here > 1",
            'resource.getTag("no such tag") == 1',
            'ip("not an address").isIpv4()',
            '1 < "one"',
        ]
    )
    return _evaluate(loaded, asked, extra=f"{effect}(principal, action, resource) when {{ {body} }};")


def policy_cut(loaded: Loaded, asked: Question, rng: random.Random) -> Verdict | str:
    """Policy text is cut or damaged."""
    text = 'forbid(principal, action, resource) when { context has x && context.x == "y" };'
    damaged = rng.choice([text[: rng.randrange(1, len(text))], text.replace("{", "\x00"), text.replace("==", "=!")])
    return _evaluate(loaded, asked, extra=damaged)


def context_broken(loaded: Loaded, asked: Question, rng: random.Random) -> Verdict | str:
    """The context is not what the schema asks, or not JSON."""
    broken = rng.choice(
        [
            "",
            "{",
            "null",
            "[]",
            '"x"',
            asked.context[:-1],
            '{"no_such_member": 1}',
            '{"no_such_member": null}',
            '{"no_such_member": 1.5}',
            '{"x": {"__extn": {"fn": "ip", "arg": "999"}}}',
            '{"x": {"__entity": {"type": "", "id": ""}}}',
            '{"x": 99999999999999999999}',
            "[" * 500,
        ]
    )
    return _evaluate(loaded, Question(asked.principal, asked.action, asked.resource, broken))


def entities_broken(loaded: Loaded, asked: Question, rng: random.Random) -> Verdict | str:
    """The principal's own entity is damaged."""
    uid = {"type": asked.principal[0], "id": asked.principal[1]}
    others = [entity for entity in loaded.entities if entity["uid"] != uid]
    broken: dict[str, Any] = rng.choice(
        [
            {"uid": uid, "attrs": {"x": None}, "parents": []},
            {"uid": uid, "attrs": {"x": 1.5}, "parents": []},
            {"uid": uid, "attrs": {"x": {"__extn": {"fn": "decimal", "arg": "1"}}}, "parents": []},
            {"uid": uid, "attrs": {"x": {"__extn": {"fn": "no_such", "arg": "1"}}}, "parents": []},
            {"uid": uid, "attrs": {}, "parents": [uid]},
            {"uid": uid, "attrs": [], "parents": []},
            {"uid": uid, "parents": [{"type": "", "id": ""}], "attrs": {}},
            {"uid": uid, "attrs": {}},
        ]
    )
    try:
        store = EntityStore([*others, broken])
    except SealgateError:
        return REFUSED
    return _evaluate(loaded, asked, entities=store)


FAULTS: tuple[Fault, ...] = (
    engine_raises, answer_cut, answer_count, answer_changed, policy_errs, policy_cut, context_broken, entities_broken,
)  # fmt: skip
