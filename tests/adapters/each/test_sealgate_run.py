"""`sealgate run` with the framework of this environment: its canary, for real."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sealgate.integrations.versions import BY_NAME

FRAMEWORK = BY_NAME[Path(sys.prefix).name]
PROGRAM = f"from sealgate.integrations import canaries; print('ran:', canaries.escaped({FRAMEWORK.name!r}))"


def start(world, tmp_path, *command, program=PROGRAM, **more):
    """Run a program that calls the framework's canary once more and prints whether its body ran."""
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "SEALGATE_AGENT": "helper",
        "SEALGATE_SOCKET": str(world.authority.socket),
        "SEALGATE_SPOOL": str(tmp_path / "spool"),
        "OTEL_SDK_DISABLED": "true",
        **more,
    }
    return subprocess.run(
        [*command, sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def gated(world, tmp_path, *options, **more):
    """Start it under the gate."""
    return start(world, tmp_path, shutil.which("sealgate"), "run", *options, "--only", FRAMEWORK.name, "--", **more)


def test_without_the_gate_the_canary_runs(world, tmp_path):
    """The canary's call is one that reaches a body: what follows would notice a gate that is not there."""
    assert start(world, tmp_path).stdout.splitlines()[-1:] == ["ran: True"]


@pytest.mark.parametrize("down", [False, True])
def test_a_known_version_starts_gated(world, tmp_path, down):
    """The self-test passes, the program starts, and its own call of the canary is refused; without an authority too."""
    done = gated(world, tmp_path, **({"SEALGATE_SOCKET": str(tmp_path / "nobody")} if down else {}))
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["ran: False"]), done.stderr


def test_an_unknown_version_does_not_start(world, tmp_path):
    """The same environment with a release that nobody tried stops before the program's first line."""
    named = FRAMEWORK.distribution.replace("-", "_")
    info = tmp_path / f"{named}-{FRAMEWORK.known_below}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {FRAMEWORK.distribution}\nVersion: {FRAMEWORK.known_below}\n"
    )
    done = gated(world, tmp_path, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{FRAMEWORK.distribution} {FRAMEWORK.known_below} is not known" in done.stderr


@pytest.mark.parametrize("hollow", [True, False])
def test_an_adapter_that_hooks_nothing_is_found_out(world, tmp_path, hollow):
    """An `install` without effect, as a moved hook point would make it, does not pass the self-test."""
    done = start(world, tmp_path, program=_HOLLOW.format(name=FRAMEWORK.name, adapter=FRAMEWORK.adapter, hollow=hollow))
    assert done.stdout.splitlines()[-1:] == ["found out" if hollow else "passed"], done.stderr


_HOLLOW = """
from sealgate.integrations import autoload, core, {adapter}
from sealgate.model.errors import ConfigurationError
if {hollow}:
    {adapter}.install = lambda gate: None
try:
    autoload.install({name!r}, core.Gate())
    print("passed")
except ConfigurationError:
    print("found out")
"""
