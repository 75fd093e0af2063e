"""What every adapter is tried with where a person must approve: a real request, answered through the API by another."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from bench.frameworks.cases import Call, Driver, Tried
from bench.frameworks.world import Bodies, World

_amounts: Final = itertools.count(500)


def new_call() -> Call:
    """Return a call that needs an approval and that nobody has asked about."""
    return "wire", {"to": "bank", "amount": next(_amounts)}


def granted(driver: Driver, world: World, bodies: Bodies) -> Tried:
    """Not run before the answer, told why; afterwards the framework goes on and the body runs once, and never again."""
    call, early = new_call(), list[Call]()

    def answer() -> None:
        early.extend(bodies.ran)
        world.answer(call, grant=True)

    gate = world.gate()
    seen = driver.approve(gate, bodies, call, answer)
    driver.run(gate, bodies, [call], driver.shapes[0])
    problems = [f"not seen: {text}" for text in ("approve", "wire done") if text not in seen]
    return _tried(bodies, early, [call], problems, seen)


def refused(driver: Driver, world: World, bodies: Bodies) -> Tried:
    """A person's no holds, whatever the framework is told; the model hears of it."""
    call = new_call()
    seen = driver.approve(world.gate(), bodies, call, lambda: world.answer(call, grant=False))
    problems = [] if "refused by" in seen else ["not seen: refused by"]
    return _tried(bodies, [], [], problems, seen)


def unanswered(driver: Driver, world: World, bodies: Bodies) -> Tried:
    """What resumes the framework approves nothing as long as no person has."""
    call = new_call()
    seen = driver.approve(world.gate(), bodies, call, lambda: None)
    return _tried(bodies, [], [], [], seen)


def changed(driver: Driver, world: World, bodies: Bodies, shape: str) -> Tried:
    """In this shape: asked, granted; then another amount does not run, and the identical call runs once."""
    call, gate = new_call(), world.gate()
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
        yield case.__name__, partial(_tried_safely, case, driver)
    for shape in driver.shapes:
        yield f"changed-{shape}", partial(_tried_safely, partial(changed, shape=shape), driver)


def _tried_safely(case: Callable[..., Tried], driver: Driver, world: World) -> Tried:
    bodies = Bodies()
    try:
        return case(driver, world, bodies)
    except Exception as error:  # noqa: BLE001  # whatever a framework makes of a refusal is a finding
        return Tried(bodies.ran, bodies.unpermitted(), [f"raised {type(error).__name__}: {error}"])
