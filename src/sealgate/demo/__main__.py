"""``python -m sealgate.demo``: real tasks through a real gate, an attack, a verified receipt, a flipped byte."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sealgate.demo import evidence, report, story
from sealgate.demo.authority import Authority
from sealgate.demo.story import Chapter
from sealgate.demo.suites import NAMES, PROFILES
from sealgate.model.errors import ConfigurationError, SealgateError


def main() -> int:
    """Run the demo; exit 0 only if the receipt verified and the flipped byte was found and named."""
    parser = argparse.ArgumentParser(prog="python -m sealgate.demo", description=__doc__)
    parser.add_argument("--suite", action="append", choices=NAMES, help="only this suite; may be repeated")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the authority's data, receipt and logs in DIR")
    arguments = parser.parse_args()
    output = report.Report(report.console()) if not arguments.json else None
    try:
        with _place(arguments.keep) as place:
            figures = _run(place, tuple(arguments.suite or NAMES), output)
    except SealgateError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(figures, indent=1))
    return 0 if figures["receipt_verified"] and figures["flip_named"] else 1


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise ConfigurationError(f"`{keep}` is not empty", hint="name a new folder")
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="sealgate-demo-") as folder:
        yield Path(folder)


def _run(place: Path, names: tuple[str, ...], output: report.Report | None) -> dict[str, Any]:
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
        return figures | _evidence(authority, place, chapters, figures, output)


def _chapter(name: str, authority: Authority, place: Path, output: report.Report | None) -> Chapter:
    from sealgate.demo.agent import Suite  # noqa: PLC0415  # takes seconds to load
    from sealgate.demo.sealed import SealedGate  # noqa: PLC0415  # same

    profile = PROFILES[name]
    authority.publish(profile.policy_directory)
    chapter = Chapter(name, profile.agent)
    with SealedGate(authority.socket, profile.agent, place / "spool") as gate:
        for chapter in story.tell(Suite(profile), gate):  # noqa: B007  # the last one is whole
            pass
    if output:
        output.line(f"{name}: {sum(chapter.calls.values())} calls decided")
    return chapter


def _evidence(
    authority: Authority, place: Path, chapters: list[Chapter], figures: dict[str, Any], output: report.Report | None
) -> dict[str, Any]:
    """Verify a refusal's receipt and the log; flip one byte; verify again."""
    record_id = _a_refusal(chapters)
    receipt, waited = evidence.fetch_receipt(authority, record_id, place / "receipt")
    index = int(receipt["index"])
    sealed = evidence.verify_receipt(place / "receipt", authority.trust_file)
    evidence.export(authority, place / "log")
    clean = evidence.verify_log(place / "log", authority.trust_file)
    flip = evidence.flip(place / "log", index)
    broken = evidence.verify_log(place / "log", authority.trust_file)
    named = broken.exit_code == evidence.ALTERED and str(index) in broken.output
    if output:
        output.heading(f"Record {index}, a refused attack: its receipt, verified by a separate program")
        output.line(f"  under a signed checkpoint {waited:.1f} s after it was asked for")
        output.check(sealed)
        output.heading("The whole log, exported and verified by the same program")
        output.check(clean)
        output.flip(flip, index)
        output.check(broken)
        output.summary(figures)
    return {
        "receipt_index": index,
        "receipt_verified": sealed.exit_code == evidence.VERIFIED,
        "log_verified": clean.exit_code == evidence.VERIFIED,
        "flip_named": named,
        "verifier": {"receipt": sealed.output, "log": clean.output, "flipped": broken.output},
    }


def _a_refusal(chapters: list[Chapter]) -> str:
    for chapter in chapters:
        if chapter.sample:
            for step in story.stopped(chapter.sample.steps):
                if step.answer.record_id:
                    return step.answer.record_id
    raise SystemExit("demo: no attack was refused, so there is no refusal to verify")


if __name__ == "__main__":
    sys.exit(main())
