"""Chapter three: an action that needs somebody's yes. It runs once, exactly as it was approved."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sealgate.demo.mcp.clients import Answer
from sealgate.demo.mcp.story import RAN, REFUSED, Chapter, Line, decided, shown
from sealgate.demo.mcp.world import AGENT, MAINTAINER, World
from sealgate.model.errors import UnavailableError

_TOOL: Final = "git_create_branch"
_RETRIES: Final = 4


def approval(world: World) -> Chapter:
    """Ask, be told to wait, have somebody else grant it, run it once; a changed call and a second one do not run."""
    chapter = Chapter("A release needs a maintainer's yes: approved by a second person, run once")
    call = {"repo_path": str(world.home.project), "branch_name": "release-1.0"}
    answer, first = _asked(world, call, "there is no such branch", "the agent")
    chapter.lines.append(first)
    if answer.ticket is None:
        return chapter
    chapter.lines += [_by_itself(world, answer.ticket), _granted(world, answer.ticket, call)]
    _, changed = _asked(world, {**call, "branch_name": "release-2.0"}, "there is no such branch", "another name")
    chapter.lines += [changed, _repeated(world, answer.ticket, call)]
    return chapter


def _asked(world: World, call: dict[str, str], seen: str, who: str) -> tuple[Answer, Line]:
    """Make a call that must wait for approval and do nothing."""
    answer = world.agent.call(_TOOL, call)
    decision, _ = decided(answer, world)
    reason = world.decision(answer.record_id)["reason"] if answer.record_id else answer.text
    held = decision == "SILENCE" and reason == "approval_required" and answer.ticket is not None
    held = held and not world.home.branches(call["branch_name"])
    return answer, Line(f"{who}: {shown(_TOOL, call, world)}", decision, reason, seen, held, answer.record_id)


def _by_itself(world: World, ticket: str) -> Line:
    """Let the one who asked try to say yes."""
    try:
        world.as_operator("POST", f"/v1/approvals/{ticket}/grant", {"reason": "looks fine to me"})
    except UnavailableError as error:
        said = error.message
    else:
        said = ""
    state = world.as_maintainer("GET", f"/v1/approvals/{ticket}")["state"]
    held = "nobody decides what they asked for" in said and state == "requested"
    why = "nobody decides what they asked for" if said else ""
    what = "the caller that asked: grants it to itself"
    return Line(what, REFUSED if said else "granted", why, f"the request is still {state}", held)


def _granted(world: World, ticket: str, call: dict[str, str]) -> Line:
    """Let the maintainer look at the exact arguments and say yes."""
    asked = world.as_maintainer("GET", f"/v1/approvals/{ticket}")
    exact = asked["agent"] == AGENT and json.loads(asked["arguments"]) == call
    state = world.as_maintainer("POST", f"/v1/approvals/{ticket}/grant", {"reason": "release 1.0"})["state"]
    held = exact and state == "granted" and not world.home.branches("release-")
    seen = "she was shown these very arguments; a yes runs nothing by itself"
    return Line(f"{MAINTAINER}, the maintainer: reads the request and grants it", state, "", seen, held)


def _repeated(world: World, ticket: str, call: dict[str, str]) -> Line:
    """Repeat the approved call several times at once: it runs once."""
    with ThreadPoolExecutor(_RETRIES) as threads:
        answers = list(threads.map(lambda _: world.agent.call(_TOOL, call), range(_RETRIES)))
    ran = sum(not answer.failed for answer in answers)
    reached = len([line for line in world.servers.reached(_TOOL) if line["params"]["arguments"] == call])
    state = world.as_maintainer("GET", f"/v1/approvals/{ticket}")["state"]
    held = ran == reached == 1 and state == "consumed" and world.home.branches("release-") == ["release-1.0"]
    seen = f"{reached} reached the server, the others must ask anew; the branch is there; the approval is {state}"
    return Line(f"the agent: the approved call, {_RETRIES} times at once", f"{RAN} x {ran}", "", seen, held)
