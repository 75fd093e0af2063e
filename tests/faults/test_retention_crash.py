"""Killed before any system call of a retention run: nothing is gone without a record, and the next run ends it.

A child process does the real run and dies before its n-th rename, sync, write or unlink, for every n until it survives.
"""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from bench import retained
from sealgate.authority.retention_survey import decode_indexes
from sealgate.model.records import Kind
from sealgate.retention.classes import Classes, Rule
from sealgate.retention.terms import DAY_MS, Terms
from tests.faults.dying import in_child

CLASSES = Classes(
    [
        Rule("default", Terms()),
        Rule("short", Terms(0, 2, 5), kinds=(Kind.EVENT_LOGGED.value,)),
        Rule("brief", Terms(0, 2, 2), kinds=(Kind.SESSION_ENDED.value,)),
    ]
)
SEGMENT_BYTES = 60_000
KINDS = (Kind.EVENT_LOGGED, Kind.SESSION_ENDED, Kind.SESSION_STARTED)


async def _fill(folder: Path) -> None:
    retained.make(folder)
    world = await retained.open_world(folder, CLASSES, retained.SetClock(), segment_bytes=SEGMENT_BYTES)
    for start in range(0, 600, 60):
        await asyncio.gather(
            *(world.record(KINDS[n % 3], {"data_json": "{}", "claimed": True}) for n in range(start, start + 60))
        )
    world.ledger.step()
    world.close()


async def _open(folder: Path) -> retained.World:
    clock = retained.SetClock(retained.START_MS + 3 * DAY_MS)
    return await retained.open_world(folder, CLASSES, clock, segment_bytes=SEGMENT_BYTES)


async def _run(folder: Path) -> None:
    world = await _open(folder)
    await world.retention.run()
    world.ledger.step()
    world.close()


async def _state(folder: Path):
    """Return (indexes without a body, indexes without a statement, how often each is named in an expiry record)."""
    world = await _open(folder)
    bodies, statements, named = set(), set(), {"body": [], "statement": []}
    for index in range(world.journal.size):
        stored = world.reader.read(index)
        content = stored.content()
        if content is None:
            bodies.add(index)
        elif content["kind"] == Kind.RETENTION_EXPIRED and content["indexes"]:
            named[content["layer"]] += decode_indexes(content["indexes"], content["from_index"])
        if not stored.statement:
            statements.add(index)
    world.close()
    return bodies, statements, named


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_kill_anywhere_leaves_a_run_that_the_next_one_finishes(tmp_path: Path):
    """After each kill: what is gone is named already; after the next run: the same as without a kill, named once."""
    template = tmp_path / "template"
    assert in_child(_fill(template)) == 0
    whole = tmp_path / "whole"
    shutil.copytree(template, whole)
    assert in_child(_run(whole)) == 0
    expected = asyncio.run(_state(whole))
    assert len(expected[0]) == 400
    assert 0 < len(expected[1]) < 200
    point, step = 1, 1 if os.environ.get("SEALGATE_EVERY_KILL") else 5
    while True:
        folder = tmp_path / f"killed-{point}"
        shutil.copytree(template, folder)
        status = in_child(_run(folder), point)
        assert status in {0, 9}, point
        bodies, statements, named = asyncio.run(_state(folder))
        assert bodies <= set(named["body"]), point
        assert statements <= set(named["statement"]), point
        assert in_child(_run(folder)) == 0, point
        bodies, statements, named = asyncio.run(_state(folder))
        assert (bodies, statements) == expected[:2], point
        assert sorted(named["body"]) == sorted(expected[0]), point
        assert sorted(named["statement"]) == sorted(expected[1]), point
        assert not list((folder / "journal").glob("*.new"))
        assert not (folder / "retention-run.json").exists()
        shutil.rmtree(folder)
        if status == 0:
            break
        point += step
    assert point > 50
