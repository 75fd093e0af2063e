"""``sealgate-verify``: verifies receipts, bodies and whole logs offline, trusting only the keys it was given."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from ..model.errors import SealgateError
from . import naming, receipt
from .log import LogOptions, verify_log
from .printing import Progress, print_json, print_report
from .receipt import Extras, verify_receipt
from .report import Outcome, Report, Step, Verdict

PAGE: Final = Path(__file__).resolve().parent / "page" / "verify.html"
"""The same verification as one HTML file."""

_EPILOG: Final = """exit codes:
  0 verified   10 altered   11 not proven   12 self-consistent only   13 fork   14 gap   2 unreadable input or usage"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # who read the report has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return code


def _report(options: argparse.Namespace) -> int:
    """Verify, print the report, return its exit code."""
    try:
        report: Report = options.verify(options)
    except OSError as error:
        report = _unreadable(f"`{error.filename}` cannot be read: {error.strerror}")
    (print_json if options.json else print_report)(report, sys.stdout)
    return report.exit_code


def _page(options: argparse.Namespace) -> int:
    del options
    print(PAGE)
    return 0


def _trust(options: argparse.Namespace) -> int:
    """Write a trust file that names more; 2 where it cannot be made."""
    try:
        named = naming.name(_read(options.known) or b"", options.witness, options.quorum, options.timestamp_root)
        naming.write_new(options.out, named)
    except (SealgateError, OSError) as error:
        why = error.message if isinstance(error, SealgateError) else f"`{error.filename}`: {error.strerror}"
        print(f"sealgate-verify: {why}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--trust", type=Path, metavar="FILE", help="trust.json; without it nothing is trusted")
    shared.add_argument("--checkpoint", type=Path, metavar="FILE", help="a checkpoint of this log that you kept")
    shared.add_argument("--max-age", type=int, metavar="SECONDS", help="oldest allowed newest cosignature")
    shared.add_argument("--json", action="store_true", help="print one JSON object")
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="sealgate-verify", description=__doc__, epilog=_EPILOG, formatter_class=raw, allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser(
        "receipt", allow_abbrev=False, parents=[shared], help="verify a receipt: .tlog-proof, .statement or .cose"
    )
    one.add_argument("receipt", type=Path, metavar="FILE")
    one.add_argument("--body", type=Path, metavar="FILE", help="the record's body, byte for byte")
    one.set_defaults(run=_report, verify=_run_receipt)

    body = commands.add_parser(
        "body", allow_abbrev=False, parents=[shared], help="verify that a body is what a receipt sealed"
    )
    body.add_argument("body", type=Path, metavar="BODY")
    body.add_argument("--receipt", type=Path, metavar="FILE", required=True)
    body.set_defaults(run=_report, verify=_run_receipt)

    whole = commands.add_parser(
        "log", allow_abbrev=False, parents=[shared], help="verify an exported log, whole or a range"
    )
    whole.add_argument("folder", type=Path, metavar="DIR")
    whole.add_argument("--from", type=int, default=0, dest="start", metavar="N", help="first record (default 0)")
    whole.add_argument("--to", type=int, dest="stop", metavar="M", help="one after the last record (default: all)")
    whole.add_argument("--resume", type=Path, metavar="STATE", help="keep the state of a long run in this file")
    whole.add_argument("--no-signatures", action="store_true", help="check order, tree and digests only")
    whole.set_defaults(run=_report, verify=_run_log)

    page = commands.add_parser(
        "page", allow_abbrev=False, help="print where the page lies that verifies a receipt in a browser"
    )
    page.set_defaults(run=_page)

    more = commands.add_parser(
        "trust", allow_abbrev=False, help="write a trust file that also names witnesses and time-stamping authorities"
    )
    more.add_argument("known", type=Path, metavar="FILE", help="the trust file that you were given")
    more.add_argument("--witness", action="append", default=[], metavar="VKEY", help="a witness's key; repeat")
    more.add_argument("--quorum", type=int, metavar="N", help="how many witnesses must have cosigned")
    more.add_argument(
        "--timestamp-root", action="append", default=[], type=Path, metavar="PEM", help="a root of time stamps; repeat"
    )
    more.add_argument("--out", type=Path, metavar="NEW", required=True, help="the file to make; never overwritten")
    more.set_defaults(run=_trust)
    return parser


def _run_receipt(options: argparse.Namespace) -> Report:
    extras = Extras(
        body=_read(options.body), prior=_read(options.checkpoint), max_age=options.max_age, now=int(time.time())
    )
    data = _read(options.receipt)
    return verify_receipt(data or b"", _read(options.trust), extras)


def _run_log(options: argparse.Namespace) -> Report:
    bar: list[Progress] = []

    def show(done: int, total: int) -> None:
        if not bar:
            bar.append(Progress(total))
        bar[0].at(done)

    settings = LogOptions(
        start=options.start,
        stop=options.stop,
        prior=_read(options.checkpoint),
        signatures=not options.no_signatures,
        state=options.resume,
        max_age=options.max_age,
        now=int(time.time()),
    )
    try:
        return verify_log(options.folder, _read(options.trust), settings, show)
    finally:
        for progress in bar:
            progress.end()


def _read(path: Path | None) -> bytes | None:
    """Return a file's bytes, at most one more than any of our formats may have."""
    if path is None:
        return None
    with path.open("rb") as file:
        return file.read(naming.MAX_FILE_BYTES)


def _unreadable(message: str) -> Report:
    return Report(Verdict.UNREADABLE, message, (Step(1, receipt.STEPS[0], Outcome.FAILED, message),))


if __name__ == "__main__":
    sys.exit(main())
