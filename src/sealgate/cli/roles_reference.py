"""``python -m sealgate.cli.roles_reference > docs/reference/roles.md``: who may read what, asked of the policies."""

import sys
from collections.abc import Iterator
from typing import Final

from sealgate.adapters import reading_policies
from sealgate.adapters.configuration.roles import GATE_ROLES, VAULT_ROLES
from sealgate.policy.reading import EVERYTHING, READING_OPERATIONS, ROLES, Box, Part, Reading

_INTRODUCTION: Final = """\
# Roles

<!-- Made by `python -m sealgate.cli.roles_reference`; a test compares. Change the reading policies instead. -->

A caller may hold several roles. Roles of the gate and of the vault say which operation may be called
([settings](configuration.md), `[[identity]]`). Roles for reading are judged by Cedar policies: those that ship are
`src/sealgate/policy/reading/default.cedar`, and this table is what they answer. An installation replaces them with
`[access] policies`. What no policy allows is refused; a part that no policy shows is left out.

Each question is judged for one role at a time; the one that shows most is taken, or the one that `--role` names.
"""
_OWN: Final = frozenset({"billing"})
_NOW_MS: Final = 1


def page() -> str:
    """Return the page, Markdown."""
    return "".join([_INTRODUCTION, *_operations(), *_parts(), *_others()])


def _reading(role: str) -> Reading:
    boxed = role == "auditor"
    return Reading("who", role, _OWN, box=Box(_OWN) if boxed else EVERYTHING, boxed=boxed, valid_until_ms=2)


def _operations() -> Iterator[str]:
    point = reading_policies.load()
    yield "\n## What each may ask\n\n`reason`: only with a stated reason. "
    yield "`own`: only about agents it speaks for, or its box.\n\n"
    yield f"| role | {' | '.join(READING_OPERATIONS)} |\n| --- |{' --- |' * len(READING_OPERATIONS)}\n"
    for role in ROLES:
        cells = []
        for operation in READING_OPERATIONS:
            answers = {
                (box, why): point.judge(_reading(role), operation, box, now_ms=_NOW_MS, reasoned=why).allowed
                for box in (EVERYTHING, Box(_OWN))
                for why in (False, True)
            }
            cell = "yes" if answers[Box(_OWN), True] else "no"
            notes = []
            if cell == "yes" and not answers[EVERYTHING, True]:
                notes.append("own")
            if cell == "yes" and not answers[Box(_OWN), False]:
                notes.append("reason")
            cells.append(", ".join(notes) or cell)
        yield f"| `{role}` | {' | '.join(cells)} |\n"


def _parts() -> Iterator[str]:
    point = reading_policies.load()
    yield "\n## What each sees of a record\n\nA hidden part cannot be asked about either: a match would tell.\n\n"
    yield f"| role | {' | '.join(Part)} |\n| --- |{' --- |' * len(Part)}\n"
    for role in ROLES:
        with_reason = point.sees(_reading(role), Box(_OWN), now_ms=_NOW_MS, reasoned=True)
        without = point.sees(_reading(role), Box(_OWN), now_ms=_NOW_MS, reasoned=False)
        cells = ["no" if part not in with_reason else "yes" if part in without else "reason" for part in Part]
        yield f"| `{role}` | {' | '.join(cells)} |\n"
    yield "\n`envelope`: when, which agent, kind, tool, trace, and how much is proved. "
    yield "`decision`: the answer and its rules.\n"
    yield "`people`: callers and requests. `subjects`: tokens of persons, and classification. "
    yield "`content`: what was written.\n"


def _others() -> Iterator[str]:
    yield "\n## Roles of the gate and the vault\n\n"
    yield ", ".join(f"`{role}`" for role in (*GATE_ROLES, *VAULT_ROLES)) + ".\n\n"
    yield "`publish` and `approve` are never held together: who changes the policy does not approve the change.\n"


if __name__ == "__main__":
    sys.stdout.write(page())
