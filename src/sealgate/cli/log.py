"""``sealgate log``: look at, re-verify, export and rebuild a log's public files; archive the journal behind it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import Progress

from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.keys.rotation import TRUST_FILE
from sealgate.adapters.stores.directory import DirectoryLog, DirectoryStaging
from sealgate.adapters.stores.lock_sqlite import SqliteLock
from sealgate.cli import _reading
from sealgate.cli._bodies import BUNDLE, fetched
from sealgate.cli._calls import call
from sealgate.cli._configuration import load, options
from sealgate.cli._paths import GivenPath
from sealgate.cli._unfinished import MARKER, unfinished
from sealgate.cli.init import JOURNAL, LOCK, STAGING
from sealgate.ledger import recovery
from sealgate.ledger.export import FILES as EXPORT_FILES
from sealgate.ledger.export import export as export_log
from sealgate.ledger.fsck import fsck as check_log
from sealgate.ledger.rebuilding import rebuild as rebuild_log
from sealgate.model.errors import ConfigurationError, EvidenceError, SealgateError
from sealgate.proofs import checkpoints, notes, trust
from sealgate.proofs.notes import VerifierKey

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_directory = click.argument("directory", type=GivenPath())
_trust = click.option("--trust", "trust_file", type=GivenPath(dir_okay=False), help="trust.json with the log's key.")
_key = click.option("--key", "vkey", help="The log's verifier key, instead of --trust.")
_FOUND_BROKEN = 1


@click.group()
def command() -> None:
    """Look at, re-verify, export and rebuild a log; archive its journal."""


@command.command()
@_directory
@_trust
@_key
@click.option("--without-statements", is_flag=True, help="The statements have expired; check the rest.")
@_as_json
def fsck(
    directory: Path, *, trust_file: Path | None, vkey: str | None, without_statements: bool, as_json: bool
) -> None:
    """Recompute every tile of the log in DIRECTORY from its statements and entries, up to the signed root."""
    public, key = _open(directory), _log_key(trust_file, vkey)
    try:
        with _bar("checking", quiet=as_json) as step:
            report = check_log(public, key=key, statements_expected=not without_statements, progress=step)
    except EvidenceError as error:
        _print({"ok": False, **_problem(error)}, as_json=as_json)
        sys.exit(_FOUND_BROKEN)
    _print(
        {
            "ok": True,
            "origin": report.origin,
            "size": report.size,
            "root": report.root.hex(),
            "statements": report.statements,
            "tiles": report.tiles,
            "signature": "verified" if report.signature else "not checked: give --trust or --key",
        },
        as_json=as_json,
    )


@command.command()
@click.argument("data", type=GivenPath())
@click.argument("out", type=GivenPath())
@click.option("--from", "start", type=click.IntRange(min=0), default=0, help="First record (default 0).")
@click.option("--to", "stop", type=click.IntRange(min=1), help="Behind the last record (default: all).")
@click.option("--bodies", "with_bodies", is_flag=True, help="Also the bodies, asked of the evidence service.")
@click.option("--reason", help="With --bodies: why; it is recorded.")
@click.option("--role", help="With --bodies: the role to read in; it must see whole records.")
@options
@_as_json
def export(
    data: Path,
    out: Path,
    *,
    start: int,
    stop: int | None,
    with_bodies: bool,
    reason: str | None,
    role: str | None,
    config_path: Path | None,
    flags: tuple[str, ...],
    as_json: bool,
) -> None:
    """Copy a log, or records of it, from a data directory (or its log directory) to the new directory OUT.

    Statements and proofs need nobody's leave. Bodies come from the evidence service, to a role that may read whole
    records, and the reading is a record first; bodies that are erased, expired or not projected yet stay absent.

    While it is made, OUT holds a file UNFINISHED. One that was killed is cleared by the next run of the same command.
    """
    source, trust_file = _open(data), data / "trust.json"
    with ExitStack() as stack:
        stack.enter_context(unfinished(out, (*EXPORT_FILES, f"{BUNDLE}*"), mode=0o700 if with_bodies else 0o755))
        bodies = None
        if with_bodies:
            client = _reading.client(data if config_path is None else config_path, flags, reason, role)
            bodies = stack.enter_context(fetched(stack.enter_context(client), out, start=start, stop=stop))
        step = stack.enter_context(_bar("exporting", quiet=as_json))
        done = export_log(
            source,
            DirectoryLog(out),
            start=start,
            stop=stop,
            bodies=bodies,
            trust=trust_file.read_bytes() if trust_file.is_file() else None,
            progress=step,
        )
    _print(
        {
            "ok": True,
            "origin": done.origin,
            "size": done.size,
            "from": done.start,
            "to": done.stop,
            "files": done.files,
            "bodies": done.bodies,
            "directory": str(out),
        },
        as_json=as_json,
    )


@command.command()
@_directory
@_as_json
def show(directory: Path, *, as_json: bool) -> None:
    """Show the checkpoints of the log in DIRECTORY: origin, size, root, who signed. Nothing is verified."""
    public = _open(directory)
    found: dict[str, Any] = {}
    for path in ("checkpoint", "checkpoint.witnessed", "checkpoint.timestamped"):
        note = public.read(path)
        if note is None:
            continue
        head, parsed = checkpoints.parse(note)
        found[path] = {
            "origin": head.origin,
            "size": head.size,
            "root": head.root.hex(),
            "signatures": [f"{line.name}+{line.key_id.hex()}" for line in parsed.signatures],
        }
    _print(found, as_json=as_json)


@command.command()
@options
@_as_json
def compact(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Archive the running authority's journal up to now: smaller, and otherwise the same. Nothing expires."""
    _print(call(config_path, flags, "POST", "/v1/log/compact", {}), as_json=as_json)


@command.command()
@options
@_as_json
def rebuild(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Make the public files of a log anew from its journal, where they are lost or damaged; the authority is stopped.

    Nothing is signed: what comes out must be what the lock database says was signed. Cosignatures and timestamps of the
    past do not come back; witnesses cosign the next checkpoint.
    """
    configuration = load(config_path, flags)
    data, origin = configuration.data_directory, configuration.authority.origin
    key = trust.parse((data / TRUST_FILE).read_bytes()).log
    with (
        FileJournal(data / JOURNAL, origin) as journal,
        closing(SqliteLock(data / LOCK, origin)) as lock,
        _bar("rebuilding", quiet=as_json) as step,
    ):
        stores = recovery.Stores(journal, DirectoryLog(data / "log"), DirectoryStaging(data / STAGING), lock)
        done = rebuild_log(stores, key, progress=step)
        recovery.load(stores, key)  # what the next start does: it must accept what was made
    _print(
        {"ok": True, "origin": done.origin, "size": done.size, "root": done.root.hex(), "files": done.files},
        as_json=as_json,
    )


def _open(directory: Path) -> DirectoryLog:
    """Return the log in a log directory, or in the ``log`` of a data directory."""
    for candidate in (directory, directory / "log"):
        if (candidate / MARKER).exists():
            raise ConfigurationError(f"the export in `{candidate}` is not finished", hint="run the command again")
        if (candidate / "checkpoint").is_file():
            return DirectoryLog(candidate)
    raise ConfigurationError(
        f"there is no published log in `{directory}`", hint="name a data directory or an exported log"
    )


def _log_key(trust_file: Path | None, vkey: str | None) -> VerifierKey | None:
    if vkey is not None:
        return notes.parse_vkey(vkey)
    if trust_file is not None:
        return trust.parse(trust_file.read_bytes()).log
    return None


@contextmanager
def _bar(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error, and give what moves it."""
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _problem(error: SealgateError) -> dict[str, Any]:
    index = getattr(error, "index", None)
    return {
        "error": error.message,
        **({"hint": error.hint} if error.hint else {}),
        **({} if index is None else {"index": index}),
    }


def _print(value: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(value).decode())
        return
    for name, item in value.items():
        if isinstance(item, dict):
            click.echo(f"{name}:")
            for inner, content in item.items():
                click.echo(f"  {inner:<12} {', '.join(content) if isinstance(content, list) else content}")
        else:
            click.echo(f"{name:<12} {item}")
