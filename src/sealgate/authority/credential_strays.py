"""Looks at the backends for credentials that no lease knows: made late, or known only to a lost journal tail."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from sealgate.authority.credential_endings import Endings
from sealgate.authority.credential_sources import Source, Workers
from sealgate.authority.leases import Leases
from sealgate.authority.timekeeping import Timekeeper
from sealgate.model.credentials import Lease
from sealgate.model.errors import SealgateError

_LOG = logging.getLogger(__name__)
_EVERY_S: Final = 60.0


class Strays:
    """Finds and ends them, now and then. One event loop owns it."""

    def __init__(
        self,
        *,
        leases: Leases,
        endings: Endings,
        time: Timekeeper,
        sources: Mapping[str, Source],
        workers: Mapping[str, Workers],
    ) -> None:
        self._leases = leases
        self._endings = endings
        self._time = time
        self._sources = sources
        self._workers = workers
        self._looking: asyncio.Task[None] | None = None
        self._next_s = 0.0

    def sweep(self) -> None:
        """Look again where that is due."""
        now_s = self._time.monotonic_s()
        if self._sources and now_s >= self._next_s and self._looking is None:
            self._next_s = now_s + _EVERY_S
            self._looking = asyncio.ensure_future(self._look())
            self._looking.add_done_callback(self._looked)

    def _looked(self, done: "asyncio.Future[None]") -> None:
        self._looking = None
        if not done.cancelled() and done.exception() is not None:
            _LOG.warning("looking for stray credentials failed: %s", done.exception())

    async def _look(self) -> None:
        for source in self._sources.values():
            known = {lease.credential_id for lease in self._leases}  # one that ends while they are listed is no stray
            try:
                found = await self._workers[source.name].end(source.backend.live)
            except SealgateError as error:
                _LOG.warning("credentials of `%s` cannot be listed: %s", source.name, error.message)
                continue
            for credential_id in found or ():
                if credential_id in known or self._leases.get(credential_id) is not None:
                    continue
                _LOG.warning("credential %s of `%s` is in no lease: it is revoked", credential_id, source.name)
                lease = Lease(
                    credential_id, source.name, source.backend.kind, "", "", None, None, "", self._time.last_ms
                )
                self._leases.add(lease)
                self._endings.end([lease], "restart")

    async def stop(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
