"""What every adapter is tried with, and how a framework is driven."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from bench.frameworks.world import Bodies, World
from sealgate.integrations.core import Gate

Call = tuple[str, dict[str, Any]]


class Driver(Protocol):
    """One framework with a scripted model."""

    name: str
    shapes: tuple[str, ...]
    """Of ``sync``, ``async``, ``stream``, ``sub-agent``, ``handoff``, ``direct`` and what else this framework has."""

    def run(self, gate: Gate, bodies: Bodies, calls: list[Call], shape: str) -> str:
        """Let the model make these calls, all in one message, and return the texts of the results that it saw."""
        ...

    def approve(self, gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
        """Let the model make a call that a person must approve; have it answered; go on the framework's way."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """Calls, the bodies that must have run, and texts that the model must have seen."""

    name: str
    calls: tuple[Call, ...]
    ran: tuple[Call, ...]
    seen: tuple[str, ...]
    down: bool = False


PERMIT: Final[Call] = ("pay", {"to": "bob", "amount": 5})
CASES: Final = (
    Case("permit", (PERMIT,), (PERMIT,), ("pay done",)),
    Case("deny", (("pay", {"to": "mallory", "amount": 5}),), (), ("not permitted", "never-mallory")),
    Case("unknown", (("pay", {"to": "bob", "amount": 5000}),), (), ("was not run",)),
    Case("rewrite", (("tip", {"to": "bob", "amount": 80}),), (("tip", {"to": "bob", "amount": 50}),), ("tip done",)),
    Case(
        "redact",
        (("note", {"text": "x", "card": "4111"}),),
        (("note", {"text": "x", "card": "[redacted]"}),),
        ("note done",),
    ),
    Case("gate down", (PERMIT,), (), ("no permission could be had",), down=True),
    Case(
        "parallel",
        (
            PERMIT,
            ("pay", {"to": "mallory", "amount": 6}),
            ("tip", {"to": "eve", "amount": 99}),
            ("pay", {"to": "carol", "amount": 7}),
        ),
        (PERMIT, ("tip", {"to": "eve", "amount": 50}), ("pay", {"to": "carol", "amount": 7})),
        ("pay done", "never-mallory", "tip done"),
    ),
)


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one case."""

    ran: list[Call]
    unpermitted: list[Call]
    problems: list[str]


def try_case(driver: Driver, world: World, case: Case, shape: str) -> Tried:
    """Run one case in one shape and compare."""
    bodies = Bodies()
    gate = world.gate_down() if case.down else world.gate()
    try:
        seen = driver.run(gate, bodies, list(case.calls), shape)
    except Exception as error:  # noqa: BLE001  # whatever a framework makes of a refusal is a finding
        seen = f"raised {type(error).__name__}: {error}"
    problems = [f"not seen: {text}" for text in case.seen if text not in seen]
    if sorted(map(repr, bodies.ran)) != sorted(map(repr, case.ran)):
        problems.append(f"ran {bodies.ran}")
    if problems:
        problems.append(f"seen: {seen[:2000]}")
    return Tried(bodies.ran, bodies.unpermitted(), problems)


def run_again(driver: Driver, gate: Gate, bodies: Bodies, call: Call, answer: Callable[[], None]) -> str:
    """Approve where a framework has no way of its own: the model is told, and makes the same call again."""
    first = driver.run(gate, bodies, [call], driver.shapes[0])
    answer()
    return first + "\n" + driver.run(gate, bodies, [call], driver.shapes[0])
