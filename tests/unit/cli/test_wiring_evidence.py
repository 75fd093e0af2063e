"""What the evidence service is given."""

import os
from pathlib import Path

import pytest

from sealgate.adapters.configuration import loading
from sealgate.cli import _wiring_evidence


@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (2, 1), (3, 2), (16, 2)])
def test_one_processor_stays_with_who_decides(tmp_path: Path, monkeypatch, processors, threads):
    """The store's engine has at most two threads, and one fewer than there are processors to run on."""
    path = tmp_path / "sealgate.toml"
    path.write_text('[authority]\norigin = "demo.example/sealgate/1"\nid = "a"\n')
    configuration = loading.load(path, {}, ())
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(processors)))

    assert _wiring_evidence.store_bounds(configuration).threads == threads
