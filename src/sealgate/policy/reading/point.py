"""The reading policies, ready to judge. The official engine decides; what nothing permits is refused.

A question is judged for one role at a time, and each part of a record is a question of its own: a policy set that says
nothing about a part hides it. The context holds what was asked, so one policy bounds a search before it runs and a
single record of a trace after.
"""

from collections.abc import Mapping
from typing import Any, Final

import cedarpy
import orjson

from sealgate.encoding import canonical
from sealgate.model.decisions import Outcome
from sealgate.model.errors import InputError
from sealgate.policy.engine import Evaluator, Question, load_entities
from sealgate.policy.policy_set import Policy, first_line, parse_policies, require_unique
from sealgate.policy.schema import parse_schema

from .matter import Box, Part, Reading, Sight

_READER: Final = "Reader"
_EVIDENCE: Final = ("Evidence", "evidence")
_MAX_REMEMBERED: Final = 4096


class ReadingPoint:
    """One set of reading policies. Immutable but for its cache; one thread."""

    def __init__(self, sources: Mapping[str, str], schema: str) -> None:
        """Load Cedar texts by file stem, against the reading schema.

        Raises:
            InputError: one does not parse, or speaks of what the schema has not.
        """
        found = require_unique(
            policy for stem, text in sorted(sources.items()) for policy in parse_policies(text, stem)
        )
        self.policies: dict[str, Policy] = dict(found)
        parsed = parse_schema(schema)
        _require_valid(self.policies, schema)
        self._evaluator = Evaluator(self.policies, load_entities([], parsed), parsed, sliced=False)
        content: canonical.Json = {"format": "sealgate-reading/v1", "schema": schema, "policies": dict(sources)}
        self.version = "sha256:" + canonical.sha256(canonical.encode_arguments(content, max_bytes=1 << 22)).hex()
        self._known: dict[tuple[Any, ...], tuple[bool, tuple[str, ...], str]] = {}

    def judge(self, reading: Reading, operation: str, asked: Box, *, now_ms: int, reasoned: bool) -> Sight:
        """Return whether this reader may ask this, and which parts of what it finds it may see."""
        allowed, policies, message = self._ask(reading, operation, _EVIDENCE, asked, now_ms, reasoned=reasoned)
        if not allowed:
            return Sight(False, policies, message=message)
        parts, determining = self._parts(reading, asked, now_ms, reasoned=reasoned)
        return Sight(True, tuple(dict.fromkeys((*policies, *determining))), parts)

    def sees(self, reading: Reading, asked: Box, *, now_ms: int, reasoned: bool) -> frozenset[Part]:
        """Return the parts of records within ``asked`` that this reader may see; without the envelope, none."""
        parts, _ = self._parts(reading, asked, now_ms, reasoned=reasoned)
        return parts

    def _parts(
        self, reading: Reading, asked: Box, now_ms: int, *, reasoned: bool
    ) -> tuple[frozenset[Part], tuple[str, ...]]:
        seen: list[Part] = []
        determining: list[str] = []
        for part in Part:
            allowed, policies, _ = self._ask(reading, "see", ("Part", part.value), asked, now_ms, reasoned=reasoned)
            if allowed:
                seen.append(part)
                determining += policies
        if Part.ENVELOPE not in seen:
            return frozenset(), ()
        return frozenset(seen), tuple(determining)

    def _ask(
        self, reading: Reading, action: str, resource: tuple[str, str], asked: Box, now_ms: int, *, reasoned: bool
    ) -> tuple[bool, tuple[str, ...], str]:
        key = (reading, action, resource, asked, now_ms, reasoned)
        known = self._known.get(key)
        if known is not None:
            return known
        uid = {"type": _READER, "id": reading.principal}
        entity = {
            "uid": uid,
            "attrs": {
                "own": sorted(reading.own or ()),
                "ownsEvery": reading.own is None,
                "box": reading.box.as_cedar(),
                "boxed": reading.boxed,
                "validFrom": reading.valid_from_ms,
                "validUntil": reading.valid_until_ms,
            },
            "parents": [{"type": "Role", "id": reading.role}],
        }
        context = orjson.dumps({"now": now_ms, "reasoned": reasoned, "asked": asked.as_cedar()}).decode()
        verdict = self._evaluator.evaluate(
            Question((_READER, reading.principal), ("Action", action), resource, context, frozenset(), (entity,))
        )
        message = ""
        if verdict.outcome is Outcome.DENY:
            message = f"forbidden by {', '.join(f'`{name}`' for name in verdict.policies)}"
        elif verdict.outcome is not Outcome.PERMIT:
            message = verdict.errors[0] if verdict.errors else "no reading policy allows it"
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        self._known[key] = answer = (verdict.outcome is Outcome.PERMIT, verdict.policies, message)
        return answer


def _require_valid(policies: Mapping[str, Policy], schema: str) -> None:
    """Refuse a policy that could never match, or would err: it does not mean what its author thinks."""
    for policy in policies.values():
        if policy.is_template:
            raise InputError(f"`{policy.id}` is a template", hint="reading policies are written out")
        result = cedarpy.validate_policies(policy.text, schema)
        if not result.validation_passed:
            reason = first_line(ValueError(str(result.errors[0]))) if result.errors else "it does not fit"
            raise InputError(f"reading policy `{policy.id}` does not fit the schema: {reason}")
