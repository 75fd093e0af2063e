"""Configured credentials: where each comes from, for which tools, and the threads that make and end it."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sealgate.ports.credentials import CredentialBackend

_THREADS: Final = 4

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Source:
    """One configured credential: where it comes from, for which tools, how long it lives at most.

    ``allows`` says what it lets its holder do, as JSON; records carry its digest.
    """

    name: str
    backend: CredentialBackend
    tools: frozenset[str] = frozenset()
    lifetime_ms: int = 300_000
    allows: Mapping[str, Any] = field(default_factory=dict)


class Workers:
    """The threads of one source. Ending never waits behind making: each has threads of its own."""

    def __init__(self, source: Source) -> None:
        self._makers = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"credential-{source.name}")
        self._enders = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"revoke-{source.name}")

    async def make(self, function: Callable[[], _T]) -> _T:
        """Run what makes a credential."""
        return await asyncio.get_running_loop().run_in_executor(self._makers, function)

    async def end(self, function: Callable[[], _T]) -> _T:
        """Run what ends one, or lists them."""
        return await asyncio.get_running_loop().run_in_executor(self._enders, function)

    def close(self) -> None:
        """Let the threads go, whatever they are at."""
        for pool in (self._makers, self._enders):
            pool.shutdown(wait=False, cancel_futures=True)
