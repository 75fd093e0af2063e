"""``sealgate privacy``: check the field policy, explain what it does to an item, find personal data in a file."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import orjson

from sealgate.adapters.configuration import load_policy
from sealgate.cli import _configuration
from sealgate.cli._paths import GivenPath
from sealgate.model.errors import ConfigurationError, InputError
from sealgate.privacy import FieldPolicy, Finding, RedactionKeys, redact_item

MAX_FILE_BYTES: Final = 64 << 20
_CHUNK_LINES: Final = 200

_POLICY = click.option(
    "--policy",
    "policy_path",
    type=GivenPath(),
    help="The policy file; otherwise that of the configuration, if there is one, else the built-in.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def command() -> None:
    """Check the field policy; explain what it does; find personal data in a file."""


@command.command()
@_POLICY
@_configuration.options
def check(policy_path: Path | None, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Read the field policy and say whether it holds; exits with 1 and the reason where it does not."""
    policy = _policy(policy_path, config_path, flags)
    click.echo(f"ok: {len(policy.rules)} field rules, {len(policy.patterns)} own patterns, sha256:{policy.digest}")


@command.command()
@click.argument("item", type=GivenPath(allow_dash=True))
@_POLICY
@_JSON
@_configuration.options
def explain(
    item: Path, *, policy_path: Path | None, as_json: bool, config_path: Path | None, flags: tuple[str, ...]
) -> None:
    """Show what would become of the item in a JSON file (`-` reads standard input), and why.

    Hashes are shown as `[type]`, because the key of the site is not at hand here. Nothing is sent or kept.
    """
    policy = _policy(policy_path, config_path, flags)
    try:
        value = orjson.loads(_read(item))
    except orjson.JSONDecodeError as error:
        raise InputError(f"`{item}` is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"`{item}` is not a JSON object", hint="give one item")
    done = redact_item(value, policy, RedactionKeys())
    redactions = [entry.as_mapping() for entry in done.redactions]
    if as_json:
        _print({"item": done.item, "redactions": redactions, "privacy_policy": policy.digest})
        return
    rows = [(entry["path"], entry["type"], entry["action"], str(entry["count"])) for entry in redactions]
    _table(("path", "found", "action", "times"), rows)
    click.echo(orjson.dumps(done.item, option=orjson.OPT_INDENT_2).decode())


@command.command()
@click.argument("file", type=GivenPath(allow_dash=True))
@_POLICY
@_JSON
@_configuration.options
def scan(
    file: Path, *, policy_path: Path | None, as_json: bool, config_path: Path | None, flags: tuple[str, ...]
) -> None:
    """Find personal data and secrets in a text file (`-` reads standard input); what is found is not printed.

    Exits with 1 where something was found.
    """
    policy = _policy(policy_path, config_path, flags)
    text = _read(file).decode("utf-8", "replace")
    found = list(_scan(text, policy))
    if as_json:
        counts = Counter(entry["type"] for entry in found)
        _print({"file": str(file), "findings": found, "counts": dict(sorted(counts.items()))})
    else:
        rows = [(str(e["line"]), str(e["column"]), e["type"], f"{e['score']:.2f}", e["decoded_from"]) for e in found]
        _table(("line", "column", "type", "score", "hidden by"), rows)
        click.echo(f"{len(found)} found")
    if found:
        sys.exit(1)


def _scan(text: str, policy: FieldPolicy) -> Any:
    lines = text.splitlines(keepends=True)
    for first in range(0, len(lines), _CHUNK_LINES):
        chunk = "".join(lines[first : first + _CHUNK_LINES])
        for finding in policy.scanner.find(chunk):
            yield _placed(finding, chunk, first)


def _placed(finding: Finding, chunk: str, first: int) -> dict[str, Any]:
    before = chunk[: finding.start]
    line, column = before.count("\n"), finding.start - (before.rfind("\n") + 1)
    place = {"line": first + line + 1, "column": column + 1, "length": finding.end - finding.start}
    return place | {"type": finding.type, "score": round(finding.score, 2), "decoded_from": finding.decoded_from}


def _policy(policy_path: Path | None, config_path: Path | None, flags: tuple[str, ...]) -> FieldPolicy:
    if policy_path is not None:
        return load_policy(policy_path)
    try:
        configuration = _configuration.load(config_path, flags)
    except ConfigurationError:
        if config_path is not None or flags:
            raise
        return load_policy(Path())
    return load_policy(configuration.privacy.policy)


def _read(path: Path) -> bytes:
    try:
        data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"`{path}` is longer than {MAX_FILE_BYTES} bytes", hint="give it in parts")
    return data


def _table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    if not rows:
        return
    widths = [max(len(row[at]) for row in (names, *rows)) for at in range(len(names))]
    for row in (names, *rows):
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _print(value: dict[str, Any]) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
