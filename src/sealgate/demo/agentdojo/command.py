"""``python -m sealgate.demo agentdojo``: tasks through a real gate, attacks, a verified receipt, a flipped byte."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sealgate.demo import evidence
from sealgate.demo.agentdojo import story
from sealgate.demo.agentdojo.report import DojoReport
from sealgate.demo.agentdojo.story import Chapter
from sealgate.demo.agentdojo.suites import NAMES, PROFILES
from sealgate.demo.authority import Authority
from sealgate.demo.place import place as folder
from sealgate.demo.report import console
from sealgate.model.errors import SealgateError


def main(words: Sequence[str]) -> int:
    """Run the demo; exit 0 only if the receipt verified and the flipped byte was found and named."""
    parser = argparse.ArgumentParser(prog="python -m sealgate.demo agentdojo", description=__doc__)
    parser.add_argument("--suite", action="append", choices=NAMES, help="only this suite; may be repeated")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the authority's data, receipt and logs in DIR")
    arguments = parser.parse_args(words)
    output = DojoReport(console()) if not arguments.json else None
    try:
        with folder(arguments.keep) as place:
            figures = _run(place, tuple(arguments.suite or NAMES), output)
    except SealgateError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(figures, indent=1))
    return 0 if figures["receipt_verified"] and figures["flip_named"] else 1


def _run(place: Path, names: tuple[str, ...], output: DojoReport | None) -> dict[str, Any]:
    started = time.monotonic()
    with Authority(place / "authority") as authority:
        if output:
            output.line(f"authority: process {authority.pid}, socket {authority.socket}")
            output.line("loading AgentDojo's suites takes some seconds ...")
        chapters = [_chapter(name, authority, place, output) for name in names]
        figures = story.totals(chapters)
        figures["seconds"] = round(time.monotonic() - started, 1)
        figures["records"] = round(authority.metric("sealgate_records_total") or 0)
        if output:
            for show in (output.users, output.attacks, output.sample, output.limits):
                show(chapters)
        proof = evidence.prove(authority, _a_refusal(chapters), place)
        if output:
            output.proof(proof, "a refused attack")
            output.summary(figures)
        return figures | proof.figures()


def _chapter(name: str, authority: Authority, place: Path, output: DojoReport | None) -> Chapter:
    from sealgate.demo.agentdojo.agent import Suite  # noqa: PLC0415  # takes seconds to load
    from sealgate.demo.agentdojo.sealed import SealedGate  # noqa: PLC0415  # same

    profile = PROFILES[name]
    authority.publish(profile.policy_directory)
    chapter = Chapter(name, profile.agent)
    with SealedGate(authority.socket, profile.agent, place / "spool") as gate:
        for chapter in story.tell(Suite(profile), gate):  # noqa: B007  # the last one is whole
            pass
    if output:
        output.line(f"{name}: {sum(chapter.calls.values())} calls decided")
    return chapter


def _a_refusal(chapters: list[Chapter]) -> str:
    for chapter in chapters:
        if chapter.sample:
            for step in story.stopped(chapter.sample.steps):
                if step.answer.record_id:
                    return step.answer.record_id
    raise SystemExit("demo: no attack was refused, so there is no refusal to verify")
