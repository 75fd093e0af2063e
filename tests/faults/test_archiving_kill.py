"""Killed before any system call of archiving, the authority, its process or both: no record is lost or changed.

A real authority's parts archive a real journal; the process beside it writes, syncs, and dies where it is told to.
"""

import asyncio
import itertools
import shutil
import signal
from pathlib import Path

import pytest

from bench.owning import wait_until_nobody_owns
from tests.faults.dying import in_child
from tests.integration import archiving_world
from tests.integration.archiving_world import copied, files, held, open_world

DYING = """
import runpy
from tests.faults.dying import die_before
die_before({count}, with_parent={with_parent})
runpy.run_module("sealgate.adapters.archiving.worker", run_name="__main__")
"""
OWN = "sealgate.adapters.archiving.worker"
ARCHIVED = ["00000001-0001.archive", "00000002-0001.archive", "00000003.segment"]


@pytest.fixture(scope="module", name="template")
def _template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled") / "one"
    assert in_child(archiving_world.fill(folder)) == 0
    return folder


@pytest.fixture(scope="module", name="expected")
def _expected(template, tmp_path_factory):
    folder = copied(template, tmp_path_factory.mktemp("whole") / "one")
    assert in_child(_archive(folder)) == 0
    return asyncio.run(_held(folder))


async def _archive(folder, module=OWN):
    world = await open_world(folder)
    world.archiver._child._module = module
    await world.retention.compact()
    world.close()


async def _held(folder):
    world = await open_world(folder, elsewhere=False)
    found = held(world)
    world.close()
    return found


def _check(folder, expected, point) -> None:
    """All records are there now, and after the next run the archives are."""
    wait_until_nobody_owns(folder / "journal")
    records, labels = asyncio.run(_held(folder))
    assert records == expected[0], point
    assert labels == expected[1][: len(labels)], point
    assert in_child(_archive(folder)) == 0, point
    assert asyncio.run(_held(folder)) == expected, point
    assert files(folder) == ARCHIVED, point
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_authority_killed_before_any_of_its_calls(template, expected, tmp_path):
    """Until it survives: names, syncs and removals are still its own."""
    for point in itertools.count(1):
        folder = copied(template, tmp_path / str(point))
        status = in_child(_archive(folder), point)
        assert status in {0, 9}, point
        _check(folder, expected, point)
        if status == 0:
            break
    assert point > 8


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("both", [False, True], ids=["alone", "both"])
def test_an_archiving_process_killed_before_any_of_its_calls(template, expected, tmp_path, monkeypatch, both):
    """Alone: the authority ends the work itself. With it: the next one does. Until the process survives."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    for point in itertools.count(1):
        (tmp_path / f"dying{point}.py").write_text(DYING.format(count=point, with_parent=both))
        folder = copied(template, tmp_path / str(point))
        status = in_child(_archive(folder, f"dying{point}"))
        if not both:
            assert status == 0, point
            assert files(folder) == ARCHIVED, point
        _check(folder, expected, point)
        if point > 6 and status == 0:  # two segments: a header, a block and a sync each
            break
        assert status == (-signal.SIGKILL if both else 0), point
    assert point == 7
