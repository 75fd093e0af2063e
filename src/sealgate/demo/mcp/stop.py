"""Chapter four: the operator pauses the agent in the middle of its work."""

import threading
import time
from dataclasses import dataclass
from typing import Final, Self

from sealgate.demo.mcp.clients import Answer
from sealgate.demo.mcp.story import RAN, Chapter, Line, decided
from sealgate.demo.mcp.world import AGENT, World
from sealgate.model.errors import UnavailableError

_TOOL: Final = "git_create_branch"
_BEFORE: Final = 20
_AFTER: Final = 20
_TIMEOUT_S: Final = 30.0
BAR_S: Final = 1.0
"""From the operator's request to the first refused call, at most."""


@dataclass(frozen=True, slots=True)
class _Try:
    number: int
    began: float
    ended: float
    answer: Answer


class _Worker:
    """The agent at work in a thread: one new branch after the other. It does not stop for a refusal, only when told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._over = threading.Event()
        self._changed = threading.Condition()
        self.tries: list[_Try] = []
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *what: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            began = time.monotonic()
            answer = self._world.agent.call(
                _TOOL, {"repo_path": str(self._world.home.project), "branch_name": f"draft-{number:04}"}
            )
            with self._changed:
                self.tries.append(_Try(number, began, time.monotonic(), answer))
                self._changed.notify_all()

    def wait(self, count: int, *, refused: bool) -> None:
        """Wait until so many calls ran, or were refused.

        Raises:
            UnavailableError: it takes too long.
        """
        with self._changed:
            done = self._changed.wait_for(
                lambda: sum(one.answer.failed is refused for one in self.tries) >= count, _TIMEOUT_S
            )
        if not done:
            raise UnavailableError(f"the agent at work did not have {count} calls {'refused' if refused else 'done'}")


def stop(world: World) -> Chapter:
    """Pause the agent while it works; look at what ran, what did not, and how long it took; let it go on."""
    chapter = Chapter("Stop: the operator pauses the agent in the middle of its work")
    with _Worker(world) as worker:
        worker.wait(_BEFORE, refused=False)
        asked = time.monotonic()
        world.as_operator("POST", f"/v1/agents/{AGENT}/pause", {"reason": "looks wrong"})
        paused = time.monotonic()
        worker.wait(_AFTER, refused=True)
    ran = [one for one in worker.tries if not one.answer.failed]
    refused = [one for one in worker.tries if one.answer.failed]
    first = refused[0].ended - asked
    branches = world.home.branches("draft-")
    made = [f"draft-{one.number:04}" for one in ran]
    chapter.figures = {"pause_to_first_refusal_s": round(first, 4)}
    seen = f"{len(branches)} branches are there: exactly those"
    chapter.lines.append(
        Line(f"the agent: {len(ran)} new branches, one by one", RAN, "", seen, len(ran) >= _BEFORE and branches == made)
    )
    decision, why = decided(refused[0].answer, world)
    late = sum(one.began > paused for one in ran)
    seen = f"first refused call {first * 1000:.0f} ms after the operator asked; {late} calls ran that began later"
    held = decision == "DENY" and first <= BAR_S and late == 0
    record = refused[0].answer.record_id
    chapter.lines.append(Line("the operator: pauses the agent", decision, why, seen, held, record))
    chapter.lines += [_insisting(world, ran, refused), _resumed(world)]
    return chapter


def _insisting(world: World, ran: list[_Try], refused: list[_Try]) -> Line:
    """Look at what came of everything that the agent tried after it was paused."""
    first = refused[0].number
    after = [one for one in refused if one.number >= first]
    names = [line["params"]["arguments"]["branch_name"] for line in world.servers.reached(_TOOL)]
    reached = sum(name.startswith("draft-") for name in names)
    decisions = {decided(one.answer, world)[0] for one in after}
    held = decisions == {"DENY"} and all(one.number < first for one in ran) and reached == len(ran)
    seen = f"no branch after draft-{ran[-1].number:04}; nothing reached the server"
    return Line(f"the agent: goes on trying, {len(after)} times", " ".join(sorted(decisions)), "", seen, held)


def _resumed(world: World) -> Line:
    """Let the agent go on: the pause alone was what refused it."""
    world.as_operator("POST", f"/v1/agents/{AGENT}/resume", {})
    answer = world.agent.call(_TOOL, {"repo_path": str(world.home.project), "branch_name": "draft-resumed"})
    decision, why = decided(answer, world)
    held = decision == RAN and world.home.branches("draft-resumed") == ["draft-resumed"]
    return Line("the operator: lets it go on", decision, why, "the next branch is there", held)
