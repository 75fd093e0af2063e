"""Where items are made ready (collector.service.Preparer): in this process, or in worker processes on other cores."""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Final

import msgspec
import orjson

from sealgate.adapters.children.signals import leave_to_asker
from sealgate.collector.preparing import Preparation, Ready, Source, split
from sealgate.model.errors import UnavailableError
from sealgate.telemetry.bounds import Bounds
from sealgate.telemetry.mapping import Sender
from sealgate.telemetry.requests import Export, Translated, translate

Items = Sequence[dict[str, Any] | bytes]


class HerePreparer:
    """Prepares on the event loop. A batch of 512 items holds it up for some 20 ms, which no sender notices."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation

    async def prepare(self, items: Items, agents: frozenset[str], source: Source) -> Ready:
        """Do what ``Preparation.prepare`` does."""
        return self._preparation.prepare(items, agents, source)

    async def split(self, body: bytes, agents: frozenset[str], source: Source) -> tuple[str, Ready, int]:
        """Split a native batch and prepare it."""
        return _split(self._preparation, body, agents, source)

    async def translate(
        self, export: Export, sender: Sender, bounds: Bounds, agents: frozenset[str]
    ) -> tuple[Translated, Ready]:
        """Translate telemetry and prepare what it holds."""
        return _translate(self._preparation, export, sender, bounds, agents)

    def close(self) -> None:
        """Nothing to end."""


class WorkerPreparer:
    """Prepares in worker processes. They hold no keys and no connections; one that dies is replaced."""

    def __init__(self, preparation: Preparation, workers: int) -> None:
        self._preparation = preparation
        self._workers = workers
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(self._preparation,)
        )

    async def prepare(self, items: Items, agents: frozenset[str], source: Source) -> Ready:
        """Do what ``Preparation.prepare`` does."""
        return await self._run(_prepare_there, items, agents, source)  # type: ignore[no-any-return]  # what it returns

    async def split(self, body: bytes, agents: frozenset[str], source: Source) -> tuple[str, Ready, int]:
        """Split a native batch and prepare it."""
        return await self._run(_split_there, body, agents, source)  # type: ignore[no-any-return]  # what it returns

    async def translate(
        self, export: Export, sender: Sender, bounds: Bounds, agents: frozenset[str]
    ) -> tuple[Translated, Ready]:
        """Translate telemetry and prepare what it holds."""
        return await self._run(_translate_there, export, sender, bounds, agents)  # type: ignore[no-any-return]  # as above

    async def _run(self, what: Any, *arguments: Any) -> Any:
        pool = self._pool
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, what, *arguments)
        except BrokenProcessPool as error:
            if pool is self._pool:
                self._pool = self._start()
                pool.shutdown(wait=False)
            raise UnavailableError("a worker process died", hint="send the same batch again") from error

    def close(self) -> None:
        """End the worker processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)


_mine: Final[list[Preparation]] = []  # a worker's copy, set once


def _begin(preparation: Preparation) -> None:
    with contextlib.suppress(ValueError):
        leave_to_asker()
    _mine.append(preparation)


def _split(preparation: Preparation, body: bytes, agents: frozenset[str], source: Source) -> tuple[str, Ready, int]:
    batch_id, items = split(body)
    return batch_id, preparation.prepare(items, agents, source), len(items)


def _prepare_there(items: Items, agents: frozenset[str], source: Source) -> Ready:
    return _mine[0].prepare(items, agents, source)


def _split_there(body: bytes, agents: frozenset[str], source: Source) -> tuple[str, Ready, int]:
    return _split(_mine[0], body, agents, source)


def _translate(
    preparation: Preparation, export: Export, sender: Sender, bounds: Bounds, agents: frozenset[str]
) -> tuple[Translated, Ready]:
    translated = translate(export, sender, bounds)
    ready = preparation.prepare(map(_as_json, translated.items), agents, "otlp")
    translated.items = []  # what was kept is in the groups; the rest need not travel back
    return translated, ready


def _as_json(item: dict[str, Any]) -> dict[str, Any] | msgspec.Raw:
    """Return an item that our table made as JSON: checked from there in half the time that an object takes."""
    try:
        return msgspec.Raw(orjson.dumps(item))
    except orjson.JSONEncodeError:  # not valid Unicode, for one: the item is judged as it is
        return item


def _translate_there(
    export: Export, sender: Sender, bounds: Bounds, agents: frozenset[str]
) -> tuple[Translated, Ready]:
    return _translate(_mine[0], export, sender, bounds, agents)
