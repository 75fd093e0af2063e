"""The verifier's how-to: each documented command is run, and the verdict line under it must come out."""

import re
import shlex
from pathlib import Path

import pytest

from bench.logmaker import Keys, make_log
from sealgate.proofs import tiles
from sealgate.verifier.__main__ import main

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "verify-a-receipt.md"
BLOCKS = re.findall(r"^```console\n(.*?)^```$", HOW_TO.read_text("utf-8"), re.MULTILINE | re.DOTALL)
EXAMPLES = [tuple(part.strip().split("\n")) for block in BLOCKS for part in block.split("$ ")[1:]]


@pytest.mark.parametrize("example", EXAMPLES, ids=[example[0] for example in EXAMPLES])
def test_the_documented_command_does_what_it_says(
    example: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code and verdict line are those of the page."""
    log = make_log(300, keys=Keys("how-to", witnesses=1), quorum=1)
    log.write(tmp_path / "export")
    kept = log.checkpoint(100, tiles.hash_range(0, 100, log.size, log.read_tile))
    files = {
        "trust.json": log.trust(),
        "payment.tlog-proof": log.proof(5).encode(),
        "payment.statement": log.sealed[5][0],
        "payment.body.json": log.sealed[5][1],
        "kept.checkpoint": kept,
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    command, *expected = example
    words = shlex.split(command)
    code = main(words[1:])
    shown = capsys.readouterr().out.splitlines()

    assert words[0] == "sealgate-verify"
    assert shown[-1:] == expected or not expected
    assert code == (11 if expected and "not proven" in expected[0] else 12 if "self" in "".join(expected) else 0)
