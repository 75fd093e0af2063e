"""`sealgate run`, and what the adapters' tables promise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealgate.integrations import coverage, versions
from sealgate.model.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[3]
SEALGATE = Path(sys.executable).with_name("sealgate")


def run(world, tmp_path, *command, **environment):
    """Run a program under the gate."""
    base = {**os.environ, "SEALGATE_AGENT": "helper", "SEALGATE_SOCKET": str(world.authority.socket)}
    base |= {"SEALGATE_SPOOL": str(tmp_path / "spool"), **environment}
    return subprocess.run(
        [SEALGATE, "run", "--", *command], env=base, capture_output=True, text=True, timeout=110, check=False
    )


def test_a_program_runs_with_its_own_status(world, tmp_path):
    """Output and exit status of the program are those of `sealgate run`."""
    done = run(world, tmp_path, sys.executable, "-c", "print('app'); raise SystemExit(7)")
    assert (done.returncode, done.stdout) == (7, "app\n")


def test_the_environments_own_start_module_still_runs(world, tmp_path):
    """A `sitecustomize` that ours stands in front of is not lost."""
    (tmp_path / "sitecustomize.py").write_text("import os\nif 'SEALGATE_RUN_ONLY' in os.environ: print('theirs')")
    done = run(world, tmp_path, sys.executable, "-c", "print('app')", PYTHONPATH=str(tmp_path))
    assert done.stdout == "theirs\napp\n"


@pytest.mark.parametrize("switch", ["-I", "-S", "-E", "-SI"])
def test_switches_that_leave_the_gate_out_are_refused(world, tmp_path, switch):
    """A Python that would not load the gate is not started."""
    done = run(world, tmp_path, sys.executable, switch, "-c", "print('app')")
    assert done.returncode == 1
    assert "app" not in done.stdout


def test_a_program_that_is_not_python_is_stopped(world, tmp_path):
    """What never says that it is gated ends with an error, whatever its own status."""
    assert run(world, tmp_path, "true").returncode == 1


def test_an_unknown_version_does_not_start(world, tmp_path):
    """A framework in a release that nobody tried stops the program before its first line, with the known range."""
    info = tmp_path / "smolagents-99.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: smolagents\nVersion: 99.0\n")
    done = run(world, tmp_path, sys.executable, "-c", "print('app')", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "smolagents 99.0 is not known" in done.stderr
    assert "1.26.0" in done.stderr


@pytest.mark.parametrize(
    ("version", "known"),
    [("1.26.0", True), ("1.26.9", True), ("1.27.0", False), ("1.25.9", False), ("1.26.1rc1", False), ("x", False)],
)
def test_ranges(version, known):
    """A range begins at what was tried, ends before the next minor release, and has no pre-releases."""
    assert versions.is_known(version, versions.BY_NAME["smolagents"]) is known


def test_a_framework_that_is_not_here():
    """Asking for one says what to install."""
    with pytest.raises(ConfigurationError, match="not installed"):
        versions.require_known("smolagents")


def test_the_reference_is_the_tables():
    """docs/reference/adapters.md: python -m sealgate.integrations.coverage > docs/reference/adapters.md."""
    assert (ROOT / "docs" / "reference" / "adapters.md").read_text() == coverage.page()


def test_every_framework_is_in_every_table():
    """Versions, coverage, approvals, lock files and extras name the same frameworks."""
    names = {framework.name for framework in versions.FRAMEWORKS}
    assert {row.framework for row in coverage.ROWS} == names == set(coverage.APPROVAL)
    assert {file.stem for file in (ROOT / "requirements" / "adapters").glob("*.txt")} == names
