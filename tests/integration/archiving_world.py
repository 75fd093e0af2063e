"""A journal with closed segments of every sort of record, archived here or elsewhere, and what it then holds."""

import asyncio
import shutil

from bench import retained
from bench.retained import SetClock, World
from sealgate.model.records import Kind
from sealgate.retention.classes import Classes

SUBJECTS = [f"sub_{letter * 26}" for letter in "ab"]
SEGMENT_BYTES = 1 << 18
CLASSES = Classes(())


async def fill(folder) -> None:
    """Make a journal of three segments: records of nobody, of two people, and of the ledger's own kinds."""
    retained.make(folder)
    world = await open_world(folder, elsewhere=False)
    while len(world.journal.closed()) < 2:
        size = world.journal.size
        await asyncio.gather(*(_record(world, number) for number in range(size, size + 60)))
    world.ledger.step()
    world.close()


def rekeyed(number: int) -> bool:
    """Tell whether a record gets another key when it is archived."""
    return number % 50 == 3


async def _record(world: World, number: int):
    if rekeyed(number):  # sealed under a key of a class, which it outlives
        return await world.record(Kind.CAPTURE_GAP, {"number": number}, retention_class="default")
    subject = SUBJECTS[number % 5] if number % 5 < len(SUBJECTS) else None
    fields = {"data_json": f'{{"n":{number},"text":"{number % 7 * "heron "}"}}', "claimed": True}
    return await world.record(Kind.EVENT_LOGGED, fields, subject=subject)


async def open_world(folder, *, elsewhere=True) -> World:
    """Open it as a new authority does."""
    return await retained.open_world(folder, CLASSES, SetClock(), segment_bytes=SEGMENT_BYTES, elsewhere=elsewhere)


def held(world: World):
    """Return what the journal holds: statements, bodies, labels (keys by their scope), names and places of blocks."""
    scopes = {fact.key_id: fact.scope for fact in world.data_keys.facts("")}
    records = []
    for index in range(world.journal.size):
        stored = world.reader.read(index)
        records.append((stored.statement, stored.body))
    labels = [
        (label.index, label.time_ms, label.retention_class, scopes.get(label.key_id), label.statement)
        for segment in world.journal.closed()
        if segment.archived
        for label in world.journal.labels(segment.sequence)
    ]
    return records, labels


def files(folder):
    """Return the names of the journal's files."""
    return sorted(path.name for path in (folder / "journal").iterdir() if path.name != "lock")


def copied(template, folder):
    """Return a copy of a filled folder."""
    shutil.copytree(template, folder)
    return folder
