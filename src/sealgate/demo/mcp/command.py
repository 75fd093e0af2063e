"""``python -m sealgate.demo``: real MCP servers behind the gate, attacks, an approval, a stop, verified evidence."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sealgate.demo import evidence
from sealgate.demo.mcp import servers
from sealgate.demo.mcp.approval import approval
from sealgate.demo.mcp.hostile import hostile
from sealgate.demo.mcp.report import StoryReport
from sealgate.demo.mcp.stop import stop
from sealgate.demo.mcp.story import Chapter
from sealgate.demo.mcp.work import work
from sealgate.demo.mcp.world import World, world
from sealgate.demo.place import place as folder
from sealgate.demo.report import console
from sealgate.model.errors import SealgateError, UnavailableError


def main(words: Sequence[str]) -> int:
    """Run the demo; exit 0 only if every line of every chapter held and the evidence verified."""
    parser = argparse.ArgumentParser(
        prog="python -m sealgate.demo",
        description=__doc__,
        epilog="`agentdojo` first: the suites of AgentDojo instead.",
    )
    parser.add_argument("--servers", metavar="DIR", type=Path, required=True, help="what `scripts/mcp-env` printed")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep everything that was written in DIR")
    arguments = parser.parse_args(words)
    output = StoryReport(console()) if not arguments.json else None
    try:
        known = servers.found(arguments.servers.resolve())
        with folder(arguments.keep) as place:
            figures = _run(place, known, output)
    except SealgateError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(figures, indent=1))
    return 0 if figures["held"] else 1


def _run(place: Path, known: dict[str, list[str]], output: StoryReport | None) -> dict[str, Any]:
    started = time.monotonic()
    absent = [name for name in servers.NAMES if name not in known]
    with world(place, known) as here:
        if output:
            output.line(f"authority: process {here.authority.pid}; MCP servers behind one gateway: {', '.join(known)}")
            if absent:
                output.line(f"not to be had here, left out: {', '.join(absent)}")
        chapters = _chapters(here, place, output)
        proof = evidence.prove(here.authority, _a_refusal(chapters[1]), place)
        figures = _figures(chapters, absent) | proof.figures()
        figures["held"] = all(chapter.held for chapter in chapters) and proof.held
        figures["records"] = round(here.authority.metric("sealgate_records_total") or 0)
        figures["seconds"] = round(time.monotonic() - started, 1)
        if output:
            output.proof(proof, "a refused attack")
            output.summary(figures)
    return figures


def _chapters(here: World, place: Path, output: StoryReport | None) -> list[Chapter]:
    chapters: list[Chapter] = []
    for tell in (work, lambda there: hostile(there, place / "without-gate"), approval, stop):
        chapters.append(tell(here))
        if output:
            output.chapter(len(chapters), chapters[-1])
    return chapters


def _figures(chapters: list[Chapter], absent: list[str]) -> dict[str, Any]:
    lines = [line for chapter in chapters for line in chapter.lines]
    figures: dict[str, Any] = {"chapters": [chapter.told() for chapter in chapters], "absent": absent}
    for chapter in chapters:
        figures |= chapter.figures
    return figures | {"checks": len(lines), "checks_held": sum(line.held for line in lines)}


def _a_refusal(chapter: Chapter) -> str:
    for line in chapter.lines:
        if line.decision == "DENY" and line.record_id:
            return line.record_id
    raise UnavailableError("no attack was denied, so there is no refusal to verify")
