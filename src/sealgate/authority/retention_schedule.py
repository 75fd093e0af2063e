"""When retention runs by itself."""

import asyncio
import logging
from typing import Final

from sealgate.authority.retention import Retention
from sealgate.authority.retention_parts import Settings
from sealgate.model.errors import SealgateError

_LOG = logging.getLogger(__name__)
_TURN_S: Final = 5.0


async def keep(retention: Retention, settings: Settings) -> None:
    """Archive what closes and run on schedule, until cancelled. A failure is logged and the next turn goes on."""
    since = 0.0
    while True:
        await asyncio.sleep(_TURN_S)
        since += _TURN_S
        try:
            if settings.compact:
                await retention.compact(paced=True)
            if settings.interval_s and since >= settings.interval_s:
                since = 0.0
                done = await retention.run()
                _LOG.info("retention: %s bodies, %s statements went", done["bodies"], done["statements"])
        except SealgateError as error:
            _LOG.warning("retention: %s", error)
        except Exception:  # noqa: BLE001  # what one turn ran into must not end the schedule
            _LOG.exception("retention failed")
