"""What every adapter is tried with where a person must approve: a real request, answered through the API by another."""

import itertools
from collections.abc import Callable, Iterator
from typing import Final

from bench.frameworks.cases import Call, Driver, Tried
from bench.frameworks.world import Bodies, World

_amounts: Final = itertools.count(500)


def new_call() -> Call:
    """Return a call that needs an approval and that nobody has asked about."""
    return "wire", {"to": "bank", "amount": next(_amounts)}


def granted(driver: Driver, world: World) -> Tried:
    """Not run before the answer, told why; afterwards the framework goes on and the body runs once, and never again."""
    bodies, call, early = Bodies(), new_call(), list[Call]()

    def answer() -> None:
        early.extend(bodies.ran)
        world.answer(call, grant=True)

    gate = world.gate()
    seen = driver.approve(gate, bodies, call, answer)
    driver.run(gate, bodies, [call], driver.shapes[0])
    problems = [f"not seen: {text}" for text in ("approve", "wire done") if text not in seen]
    return _tried(bodies, early, [call], problems, seen)


def refused(driver: Driver, world: World) -> Tried:
    """A person's no holds, whatever the framework is told; the model hears of it."""
    bodies, call = Bodies(), new_call()
    seen = driver.approve(world.gate(), bodies, call, lambda: world.answer(call, grant=False))
    problems = [] if "refused by" in seen else ["not seen: refused by"]
    return _tried(bodies, [], [], problems, seen)


def unanswered(driver: Driver, world: World) -> Tried:
    """What resumes the framework approves nothing as long as no person has."""
    bodies, call = Bodies(), new_call()
    seen = driver.approve(world.gate(), bodies, call, lambda: None)
    return _tried(bodies, [], [], [], seen)


def changed(driver: Driver, world: World, shape: str) -> Tried:
    """In this shape: asked, granted; then another amount does not run, and the identical call runs once."""
    bodies, call, gate = Bodies(), new_call(), world.gate()
    other = (call[0], {**call[1], "to": "mallory"})
    seen = driver.run(gate, bodies, [call], shape)
    early = list(bodies.ran)
    world.answer(call, grant=True)
    seen += driver.run(gate, bodies, [other], shape)
    early += bodies.ran
    seen += driver.run(gate, bodies, [call], shape)
    seen += driver.run(gate, bodies, [call], shape)
    return _tried(bodies, early, [call], [], seen)


def _tried(bodies: Bodies, early: list[Call], wanted: list[Call], problems: list[str], seen: str) -> Tried:
    if early or bodies.ran != wanted:
        problems = [*problems, f"ran {early} before and {bodies.ran} in all"]
    if problems:
        problems = [*problems, f"seen: {seen[:2000]}"]
    return Tried(bodies.ran, early + bodies.unpermitted(approved=wanted), problems)


def each(driver: Driver) -> Iterator[tuple[str, Callable[[World], Tried]]]:
    """Return every case by its name, for the shapes that this framework has."""
    for case in (granted, refused, unanswered):
        yield case.__name__, lambda world, case=case: _safe(lambda: case(driver, world))  # type: ignore[misc]  # bound early
    for shape in driver.shapes:
        yield f"changed-{shape}", lambda world, shape=shape: _safe(lambda: changed(driver, world, shape))  # type: ignore[misc]  # as above


def _safe(case: Callable[[], Tried]) -> Tried:
    try:
        return case()
    except Exception as error:  # noqa: BLE001  # whatever a framework makes of a refusal is a finding
        return Tried([], [], [f"raised {type(error).__name__}: {error}"])
