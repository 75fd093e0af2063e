"""A handler for the standard library's logging: what is logged becomes an event of the present task and step."""

import logging
import threading
from typing import Final

from sealgate.model.errors import SealgateError
from sealgate.sdk import calls
from sealgate.sdk.client import Client
from sealgate.sdk.default import default_client

_OURSELVES: Final = ("sealgate", "httpx", "httpcore")
"""Loggers of our own transport: recording their lines would make new ones for ever."""


class EventHandler(logging.Handler):
    """Records log lines as events, in the calling thread.

    The event's type is ``record.event_type`` (give it with ``extra=``) or ``log.<logger name>``;
    ``record.event_data``, a mapping, is kept beside the message.

    Args:
        client: the default client when None.
        level: the least level to record.
    """

    def __init__(self, client: Client | None = None, level: int = logging.INFO) -> None:
        super().__init__(level)
        self._client = client
        self._busy = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Record one line. A failure goes to ``handleError``, as logging asks, and never to the logging code."""
        if record.name.partition(".")[0] in _OURSELVES or getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            data = {
                "logger": record.name,
                "message": calls.claim(record.getMessage()),
                **getattr(record, "event_data", {}),
            }
            if record.exc_info and record.exc_info[0] is not None:
                data["error_type"] = record.exc_info[0].__qualname__
            client = self._client or default_client()
            client.log_event(getattr(record, "event_type", f"log.{record.name}"), data, level=_level(record.levelno))
        except (SealgateError, TypeError, ValueError):
            self.handleError(record)
        finally:
            self._busy.now = False


def _level(number: int) -> str:
    for bound, name in ((50, "critical"), (40, "error"), (30, "warning"), (20, "info")):
        if number >= bound:
            return name
    return "debug"
