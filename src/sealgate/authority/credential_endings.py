"""Ends credentials at their backends, however often that has to be tried; each end is a record."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Final

from sealgate.authority.credential_records import CredentialRecords
from sealgate.authority.credential_sources import Source, Workers
from sealgate.authority.leases import Leases
from sealgate.authority.timekeeping import Timekeeper
from sealgate.model.credentials import Cause, Lease, Result
from sealgate.model.errors import SealgateError, UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.ports.credentials import Ended

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 30.0
_WAIT_S: Final = 5.0
INTERNAL: Final = Identity(principal="sealgate", proof="internal")


class Endings:
    """The ends that are under way. One event loop owns it."""

    def __init__(
        self,
        *,
        leases: Leases,
        records: CredentialRecords,
        time: Timekeeper,
        sources: Mapping[str, Source],
        workers: Mapping[str, Workers],
    ) -> None:
        self._leases = leases
        self._records = records
        self._time = time
        self._sources = sources
        self._workers = workers
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self.issuing: set[str] = set()
        """What is being made: it ends as soon as that is over, by who makes it."""

    def end(self, leases: Iterable[Lease | None], cause: Cause, caller: Identity = INTERNAL) -> int:
        """Begin to end these, as far as that has not begun; return how many it were."""
        ended = 0
        for lease in leases:
            if lease is not None and self._leases.condemn(lease, cause):
                ended += 1
                if lease.credential_id not in self.issuing:
                    self.start(lease, caller)
        return ended

    def start(self, lease: Lease, caller: Identity) -> None:
        """Begin to end what is condemned."""
        if lease.credential_id not in self._under_way:
            task = asyncio.ensure_future(self._ending(lease, caller))
            self._under_way[lease.credential_id] = task
            task.add_done_callback(lambda _: self._under_way.pop(lease.credential_id, None))

    async def settle(self, lease: Lease, caller: Identity) -> None:
        """Wait a few seconds for the end; where it takes longer, make sure that a crash does not forget it."""
        ending = self._under_way.get(lease.credential_id)
        if ending is not None:
            await asyncio.wait({ending}, timeout=_WAIT_S)
        if self._leases.get(lease.credential_id) is not None and lease.problem is None:
            await self._failed(lease, "it takes longer than expected", caller)

    async def _ending(self, lease: Lease, caller: Identity) -> None:
        """Try until the backend has ended it and that is recorded."""
        pause_s, result = _FIRST_PAUSE_S, None
        while True:
            lease.attempts += 1
            try:
                result = result or await self._end_at_backend(lease)
                await self._records.ended(lease, result, caller)
            except SealgateError as error:
                await self._failed(lease, error.message, caller)
            except Exception as error:  # noqa: BLE001  # whatever an adapter ran into, the credential must still end
                await self._failed(lease, f"failed with {type(error).__name__}", caller)
            else:
                self._records.counts[result] += 1
                lease.problem = "it cannot be ended before its expiry" if result == "left_to_expire" else None
                self._leases.remove(lease.credential_id)
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _end_at_backend(self, lease: Lease) -> Result:
        source = self._sources.get(lease.name)
        if source is None or source.backend.kind != lease.kind:
            if self._time.now_ms() < lease.expires_ms:
                raise UnavailableError(f"no `{lease.kind}` credential `{lease.name}` is configured any more")
            return "left_to_expire"
        ended = Ended(lease.credential_id, lease.issued, lease.expires_ms)
        return await self._workers[lease.name].end(lambda: source.backend.revoke(ended))

    async def _failed(self, lease: Lease, problem: str, caller: Identity) -> None:
        first = lease.problem is None
        lease.problem = problem
        self._records.counts["failures"] += 1
        _LOG.warning("credential %s (%s) cannot be revoked yet: %s", lease.credential_id, lease.name, problem)
        if first:  # so that a crash does not forget that it has to end
            try:
                await self._records.ended(lease, "failing", caller)
            except SealgateError as error:
                _LOG.warning("and that could not be recorded: %s", error.message)

    async def stop(self) -> None:
        """Stop trying; what is unfinished is in the journal and the next start goes on."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
