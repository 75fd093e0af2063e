"""Both receipt verifiers, the command's and the page's, against the language-neutral vectors and against each other."""

import base64
import importlib.util
import json
import random
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import sealgate.verifier
from bench.logmaker import Keys, make_log
from sealgate.verifier.receipt import Extras, verify_receipt
from sealgate.verifier.report import Report

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors"
PAGE = Path(sealgate.verifier.__file__).parent / "page" / "verify.html"
CASES = json.loads((VECTORS / "receipts" / "manifest.json").read_text("utf-8"))["cases"]
INPUTS = ("receipt", "trust", "body", "prior")

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def _inputs(case: dict[str, str]) -> dict[str, bytes]:
    return {name: (VECTORS / "receipts" / case[name]).read_bytes() for name in INPUTS if name in case}


def _by_python(inputs: dict[str, bytes]) -> Report:
    extras = Extras(body=inputs.get("body"), prior=inputs.get("prior"))
    return verify_receipt(inputs["receipt"], inputs.get("trust"), extras)


def _by_both(cases: list[dict[str, bytes]]) -> tuple[list[dict], list[dict]]:
    """Return what the command and what the page say; they and the page's two halves run side by side."""
    middle = (len(cases) + 1) // 2
    with ThreadPoolExecutor(2) as pool:
        halves = [pool.submit(_by_page, half) for half in (cases[:middle], cases[middle:])]
        here = [_by_python(inputs).as_json() for inputs in cases]
        return here, [report for half in halves for report in half.result()]


def _by_page(cases: list[dict[str, bytes]]) -> list[dict]:
    encoded = [{name: base64.b64encode(data).decode() for name, data in inputs.items()} for inputs in cases]
    command = ["node", str(HERE / "page_driver.mjs"), str(PAGE)]
    ran = subprocess.run(command, input=json.dumps(encoded), capture_output=True, text=True, check=True, timeout=100)
    return json.loads(ran.stdout)


def _outcomes(steps: list[dict]) -> list[tuple[int, str, str]]:
    return [(step["number"], step["name"], step["outcome"]) for step in steps]


def _deciding_step(report: dict) -> str | None:
    failed = [step["name"] for step in report["steps"] if step["outcome"] == "failed"]
    unproven = [step["name"] for step in report["steps"] if step["outcome"] == "unproven"]
    return next(iter(failed + unproven), None)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_command_gives_the_expected_verdict(case: dict[str, str]) -> None:
    """Each vector gets the verdict written down for it, from the step that its defect belongs to."""
    report = _by_python(_inputs(case)).as_json()

    assert (report["verdict"], _deciding_step(report)) == (case["verdict"], case["step"]), report["reason"]


@needs_node
def test_the_page_gives_the_expected_verdicts_step_by_step() -> None:
    """The page agrees with the expected verdicts and, in every single step, with the command."""
    here, reports = _by_both([_inputs(case) for case in CASES])
    wrong = [
        (case["name"], case["verdict"], report["verdict"], report["reason"])
        for case, report in zip(CASES, reports, strict=True)
        if (report["verdict"], _deciding_step(report)) != (case["verdict"], case["step"])
    ]
    apart = [
        case["name"]
        for case, own, report in zip(CASES, here, reports, strict=True)
        if _outcomes(report["steps"]) != _outcomes(own["steps"])
    ]

    assert (wrong, apart) == ([], [])


@needs_node
def test_the_two_agree_on_flipped_bits() -> None:
    """On 1,500 receipts, statements, trust files and bodies with one bit flipped, none is verified and both agree."""
    log = make_log(300, keys=Keys("flips", witnesses=2), quorum=1)
    relaxed = log.trust(quorum=0)
    statement = log.sealed[9][0]
    transparent = _transparent(log)
    goods = [
        {"receipt": log.proof(9).encode(), "trust": log.trust(), "body": log.sealed[9][1]},
        {"receipt": transparent, "trust": relaxed},
        {"receipt": statement, "trust": log.trust()},
    ]
    rng = random.Random(7)  # noqa: S311  # which bits to flip, the same every time
    flipped = [_flip(dict(goods[number % 3]), rng) for number in range(1500)]
    here, there = _by_both(flipped)
    apart = [
        (number, one["reason"], other["reason"])
        for number, (one, other) in enumerate(zip(here, there, strict=True))
        if (one["verdict"], _outcomes(one["steps"])) != (other["verdict"], _outcomes(other["steps"]))
    ]

    assert apart == []
    assert [_by_python(good).verdict.value for good in goods] == ["verified", "verified", "not_proven"]


def _transparent(log: object) -> bytes:
    from sealgate.proofs.transparent import encode_transparent

    return encode_transparent(log.sealed[9][0], [log.cose_receipt(9)])


def _flip(inputs: dict[str, bytes], rng: random.Random) -> dict[str, bytes]:
    name = rng.choice([*inputs, "receipt", "receipt"])
    data = bytearray(inputs[name])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return inputs | {name: bytes(data)}


def test_the_vectors_are_what_their_generator_writes(tmp_path: Path) -> None:
    """Regenerating gives the committed files, byte for byte, and no others."""
    spec = importlib.util.spec_from_file_location("generate_vectors", VECTORS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.generate(tmp_path)
    names = {
        str(path.relative_to(folder))
        for folder in (tmp_path, VECTORS / "receipts")
        for path in folder.rglob("*")
        if path.is_file()
    }

    different = [name for name in sorted(names) if _read(tmp_path / name) != _read(VECTORS / "receipts" / name)]

    assert different == []


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
