"""Chapter one: ordinary work. It is permitted, and it really happens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sealgate.demo.mcp.clients import Answer
from sealgate.demo.mcp.story import RAN, Chapter, Line, decided, shown
from sealgate.demo.mcp.world import World

_NOTE: Final = "Opening hours are in draft.md.\n"
_MESSAGE: Final = "Add the opening hours"


@dataclass(frozen=True, slots=True)
class _Step:
    server: str
    tool: str
    arguments: Mapping[str, Any]
    seen: str
    happened: Callable[[Answer], bool]


def _steps(world: World) -> list[_Step]:
    home, project = world.home, world.home.project
    repository = {"repo_path": str(project)}
    files = ["draft.md", *(["notes.md"] if "filesystem" in world.servers.known else [])]
    return [
        _Step("git", "git_status", repository, "the answer names the new draft.md", lambda a: "draft.md" in a.text),
        _Step(
            "filesystem",
            "read_text_file",
            {"path": str(project / "draft.md")},
            "the answer is the file's text",
            lambda a: a.text.strip() == _text(project / "draft.md").strip(),
        ),
        _Step(
            "filesystem",
            "write_file",
            {"path": str(project / "notes.md"), "content": _NOTE},
            "the file is on the disk, with this text",
            lambda _: _text(project / "notes.md") == _NOTE,
        ),
        _Step(
            "time",
            "convert_time",
            {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Kolkata"},
            "the answer is 17:30",
            lambda a: "17:30" in a.text,
        ),
        _Step(
            "git",
            "git_add",
            {**repository, "files": files},
            f"{' and '.join(files)} staged",
            lambda _: home.git(project, "diff", "--cached", "--name-only").splitlines() == files,
        ),
        _Step(
            "git",
            "git_commit",
            {**repository, "message": _MESSAGE},
            "git's log has the commit",
            lambda _: home.commits(project) == [_MESSAGE, "Start"],
        ),
    ]


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


def work(world: World) -> Chapter:
    """Do the steps of the servers that are there; check each effect, and that records count the same calls."""
    chapter = Chapter("Ordinary work: permitted, and really done")
    reported = world.authority.metric_at_rest("sealgate_permits_reported_total")
    steps = [step for step in _steps(world) if step.server in world.servers.known]
    for step in steps:
        answer = world.agent.call(step.tool, step.arguments)
        decision, why = decided(answer, world)
        held = decision == RAN and step.happened(answer)
        chapter.lines.append(Line(shown(step.tool, step.arguments, world), decision, why, step.seen, held))
    reported = world.authority.metric_at_rest("sealgate_permits_reported_total") - reported
    reached = len(world.servers.reached())
    seen = f"{reached} requests reached the servers, {reported:.0f} permits were used and reported"
    chapter.lines.append(Line("all of it", RAN, "", seen, held=reached == reported == len(steps)))
    return chapter
