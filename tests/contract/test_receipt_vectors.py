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
from cryptography.hazmat.primitives.asymmetric import mldsa

import sealgate.verifier
from bench import corpora
from bench.logmaker import Keys, make_log, sign
from sealgate.proofs import checkpoints, cosignatures
from sealgate.proofs.notes import COSIGNATURE_ML_DSA_44, VerifierKey
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


def _ml_dsa_log():
    """A log of 300 records whose checkpoint has one ML-DSA-44 cosignature; and what makes such a note."""
    secret = mldsa.MLDSA44PrivateKey.generate()
    witness = VerifierKey("quantum", COSIGNATURE_ML_DSA_44, secret.public_key().public_bytes_raw())
    log = make_log(300, keys=Keys("ml-dsa"), quorum=1)
    head = checkpoints.parse(log.checkpoint())[0]

    def note(change=lambda signature: signature, time=1_790_000_000):
        message = cosignatures.message_subtree("quantum", time, head.origin, head.size, head.root)
        signature = change(secret.sign(message))
        lines = [
            checkpoints.sign_line(log.log_key, sign(log.keys.log, head.text.encode())),
            cosignatures.signature_line(witness, time, signature),
        ]
        return checkpoints.encode(head, lines)

    return log, log.trust(witnesses=(witness,)), note


def _flipped(at: int):
    def change(signature: bytes) -> bytes:
        return signature[:at] + bytes((signature[at] ^ 1,)) + signature[at + 1 :]

    return change


@needs_node
def test_the_two_agree_on_ml_dsa_cosignatures() -> None:
    """Good ones count for the quorum, bad ones spoil the checkpoint, on the page as in the command."""
    log, trust, note = _ml_dsa_log()
    changes = [_flipped(at) for at in (0, 31, 32, 500, 2335, 2336, 2400, 2415, 2419)]
    changes += [lambda signature: signature[:-1], lambda signature: signature + b"\0", lambda _: bytes(2420)]
    notes = [note(), *(note(change) for change in changes), note(time=1 << 63), log.checkpoint()]
    cases = [{"receipt": log.proof(7, note=made).encode(), "trust": trust} for made in notes]
    here, there = _by_both(cases)

    assert [_outcomes(report["steps"]) for report in here] == [_outcomes(report["steps"]) for report in there]
    verdicts = [report["verdict"] for report in there]
    assert verdicts == [report["verdict"] for report in here]
    assert verdicts == ["verified", *["altered"] * (len(changes) + 1), "not_proven"]


@needs_node
def test_the_page_agrees_with_wycheproof_on_ml_dsa(data_folder: Path) -> None:
    """Every verification vector of ML-DSA-44 without a context."""
    name = "testvectors_v1/mldsa_44_verify_test.json"
    groups = json.loads(corpora.files(data_folder, "vectors/wycheproof")[name])["testGroups"]
    cases = [(group["publicKey"], case) for group in groups for case in group["tests"] if not case.get("ctx")]
    signed = [[key, case["sig"], case["msg"]] for key, case in cases]
    command = ["node", str(HERE / "page_driver.mjs"), str(PAGE), "mldsa44"]
    ran = subprocess.run(command, input=json.dumps(signed), capture_output=True, text=True, check=True, timeout=100)

    assert json.loads(ran.stdout) == [case["result"] == "valid" for _, case in cases]
    assert len(cases) > 100


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
