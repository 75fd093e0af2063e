"""``sealgate receipt``: fetch the receipt of a record as files that ``sealgate-verify`` reads."""

import base64
from pathlib import Path

import click

from sealgate.cli import _receipts
from sealgate.cli._calls import fetch, segment
from sealgate.cli._configuration import options
from sealgate.cli._paths import GivenPath
from sealgate.model.errors import InputError, UnavailableError


@click.command()
@click.argument("record_id")
@click.option("--out", type=GivenPath(), help="Path without ending; default: the record id.")
@_receipts.waiting
@click.option("--transparent", is_flag=True, help="Also write the RFC 9943 transparent statement (.cose).")
@options
def command(
    record_id: str,
    out: Path | None,
    wait_s: float,
    config_path: Path | None,
    flags: tuple[str, ...],
    *,
    transparent: bool,
) -> None:
    """Write RECORD_ID's receipt: .tlog-proof (or .statement while it is only signed) and .body.json."""
    base = out or Path(record_id)
    found = _receipts.receipt(record_id, wait_s, config_path, flags)
    written = []
    if found["tlog_proof"] is not None:
        written.append(_write(base, ".tlog-proof", found["tlog_proof"].encode()))
    else:
        written.append(_write(base, ".statement", base64.b64decode(found["statement"])))
    if found["body"] is not None:
        written.append(_write(base, ".body.json", found["body"].encode()))
    if transparent:
        path = f"/v1/receipts/{segment(record_id)}/transparent-statement"
        written.append(_write(base, ".cose", fetch(config_path, flags, "GET", path)))
    click.echo(f"{found['state']}: " + ", ".join(str(path) for path in written))


def _write(base: Path, ending: str, data: bytes) -> Path:
    path = base.with_name(base.name + ending)
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise InputError(f"`{path}` exists", hint="name another file with --out") from error
    except OSError as error:
        raise UnavailableError(f"`{path}` cannot be written: {error.strerror}") from error
    return path
