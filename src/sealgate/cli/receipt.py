"""``sealgate receipt``: fetch the receipt of a record as files that ``sealgate-verify`` reads."""

import base64
import time
from pathlib import Path
from typing import Any, Final

import click

from sealgate.cli._calls import call, fetch, segment
from sealgate.cli._configuration import options
from sealgate.cli._paths import GivenPath
from sealgate.model.errors import InputError, UnavailableError

_POLL_S: Final = 0.1


@click.command()
@click.argument("record_id")
@click.option("--out", type=GivenPath(), help="Path without ending; default: the record id.")
@click.option("--wait", "wait_s", type=float, default=10.0, show_default=True, help="Seconds to wait for the proof.")
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
    found = _wait(record_id, wait_s, config_path, flags)
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


def _wait(record_id: str, wait_s: float, config_path: Path | None, flags: tuple[str, ...]) -> dict[str, Any]:
    deadline = time.monotonic() + wait_s
    while True:
        found: dict[str, Any] = call(config_path, flags, "GET", f"/v1/receipts/{segment(record_id)}")
        if found["state"] != "signed" or not time.monotonic() < deadline:  # no number is no time to wait
            return found
        time.sleep(_POLL_S)


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
