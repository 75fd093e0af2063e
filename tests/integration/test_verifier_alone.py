"""The verifier's own package: built from the same files, installed where nothing of the server can be imported."""

import importlib.metadata
import json
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from bench.logmaker import Keys, make_log

PACKAGE = Path(__file__).resolve().parents[2] / "packages" / "verify"


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=280)


def _link_dependencies(requirements: list[str], folder: Path) -> None:
    """Make the named distributions and what they need importable from ``folder``, and nothing else."""
    waiting, seen = list(requirements), set()
    while waiting:
        name = re.match(r"[A-Za-z0-9_.-]+", waiting.pop())[0].lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # needed on another platform only
        waiting += [item for item in found.requires or [] if "extra ==" not in item]
        tops = {Path(file).parts[0] for file in found.files or [] if not str(file).startswith("..")}
        for top in tops - {"__pycache__"}:
            link = folder / top
            if not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))))


@pytest.fixture(scope="module", name="alone")
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the built verifier and its dependencies."""
    folder = tmp_path_factory.mktemp("alone")
    built = _run(
        sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-q",
        "--disable-pip-version-check", "-w", folder / "wheels", PACKAGE,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    wheel = next((folder / "wheels").glob("*.whl"))
    venv.create(folder / "env", with_pip=False)
    site = next((folder / "env" / "lib").glob("python3*")) / "site-packages"
    installed = _run(
        sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "-q", "--disable-pip-version-check",
        "--target", site, wheel,
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    metadata = next(site.glob("sealgate_verify-*.dist-info")) / "METADATA"
    lines = metadata.read_text("utf-8").splitlines()
    _link_dependencies([line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist")], site)
    return folder / "env" / "bin" / "python"


@pytest.mark.slow
@pytest.mark.timeout(600)  # the fixture builds and installs a package
def test_the_verifier_works_where_the_server_cannot_be_imported(alone: Path, tmp_path: Path) -> None:
    """``import sealgate`` fails, and so do its frameworks, while a receipt and a whole log are verified."""
    log = make_log(300, keys=Keys("alone", witnesses=1), quorum=1)
    log.write(tmp_path / "log")
    (tmp_path / "trust.json").write_bytes(log.trust())
    (tmp_path / "r.tlog-proof").write_bytes(log.proof(5).encode())
    (tmp_path / "r.body.json").write_bytes(log.sealed[5][1])
    trust = ("--trust", tmp_path / "trust.json", "--json")

    for name in ("sealgate", "msgspec", "click", "httpx", "uvicorn", "cedarpy"):
        assert "ModuleNotFoundError" in _run(alone, "-I", "-c", f"import {name}").stderr
    module = ("-I", "-m", "sealgate_verify.verifier")
    receipt = _run(alone, *module, "receipt", tmp_path / "r.tlog-proof", "--body", tmp_path / "r.body.json", *trust)
    whole = _run(alone, *module, "log", tmp_path / "log", *trust)

    assert (json.loads(receipt.stdout)["verdict"], receipt.returncode) == ("verified", 0), receipt.stderr
    assert (json.loads(whole.stdout)["verdict"], whole.returncode) == ("verified", 0), whole.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)  # the fixture builds and installs a package
def test_the_page_is_in_the_package(alone: Path) -> None:
    """Who installs the verifier has the page too, and the command says where."""
    shown = _run(alone, "-I", "-m", "sealgate_verify.verifier", "page")

    assert shown.returncode == 0, shown.stderr
    assert Path(shown.stdout.strip()).read_text("utf-8").startswith("<!doctype html>")
