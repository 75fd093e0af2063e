"""``sealgate explain``: one record in plain words; a receipt is verified first."""

import subprocess
import sys
from pathlib import Path

import click
import orjson

from sealgate.adapters.keys.rotation import TRUST_FILE
from sealgate.cli import _reading
from sealgate.cli._configuration import load
from sealgate.model.errors import InputError


@click.command()
@click.argument("subject", metavar="RECEIPT|RECORD")
@_reading.question
def command(
    subject: str,
    config_path: Path | None,
    flags: tuple[str, ...],
    reason: str | None,
    role: str | None,
    *,
    as_json: bool,
) -> None:
    """Say in plain words what a record is, why it was decided so, what followed and what proves it.

    A receipt file (.tlog-proof with its .body.json) is checked against the trust file first; one that does not verify
    is not explained.
    """
    path = Path(subject)
    verdict = None
    record_id = subject
    if path.is_file():
        verdict = _verify(path, load(config_path, flags).data_directory / TRUST_FILE)
        if not as_json:
            click.echo(f"receipt: {verdict['verdict']}")
        if verdict["status"] != 0:
            raise InputError("the receipt does not verify, so it is not explained", hint=f"sealgate-verify {path}")
        record_id = _record_id(path)
    with _reading.client(config_path, flags, reason, role) as client:
        answer = client.explain(record_id)
    if as_json:
        _reading.show_json(answer if verdict is None else {**answer, "receipt": verdict})
        return
    for line in answer["explanation"]["text"]:
        click.echo(line)
    _reading.show_note(answer["access"])


def _verify(path: Path, trust: Path) -> dict[str, object]:
    """Return the verifier's own verdict: its own process, importing nothing of ours but itself."""
    done = subprocess.run(  # noqa: S603  # our own module, our own interpreter, no shell
        [
            *(sys.executable, "-m", "sealgate.verifier", "receipt", str(path), "--trust", str(trust), "--json"),
            *("--body", str(_body(path))),  # without it nothing says that the record's id is the receipt's
        ],
        capture_output=True,
        timeout=60,
        check=False,
    )
    try:
        told = orjson.loads(done.stdout)
    except orjson.JSONDecodeError as error:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
        raise InputError(f"the receipt cannot be read: {last[:200]}") from error
    return {"verdict": told.get("verdict"), "status": done.returncode, "report": told}


def _body(path: Path) -> Path:
    body = path.with_name(path.name.removesuffix(path.suffix) + ".body.json")
    if not body.is_file():
        raise InputError(f"`{body}` is missing: it tells the record's id", hint="keep it beside the receipt")
    return body


def _record_id(path: Path) -> str:
    body = _body(path)
    try:
        return str(orjson.loads(body.read_bytes())["record_id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"`{body}` does not tell the record's id", hint="keep it beside the receipt") from error
