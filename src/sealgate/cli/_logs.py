"""What the running authority tells its operator, on standard error, as ``[log]`` of the configuration says."""

import json
import logging
import sys
from datetime import UTC, datetime

from sealgate.adapters.configuration.sections.authority import Log


class JsonLines(logging.Formatter):
    """One JSON object a line; a trace, if there is one, is a member and never a second line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        members = {"time": time, "level": record.levelname.lower(), "logger": record.name}
        members["message"] = record.getMessage()
        if record.exc_info:
            members["trace"] = self.formatException(record.exc_info)
        return json.dumps(members, ensure_ascii=False)


def set_up(settings: Log) -> None:
    """Write lines of the chosen level and form from now on, instead of what was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    as_json = settings.format == "json"
    handler.setFormatter(JsonLines() if as_json else logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=settings.level.upper(), force=True)
    # At `info` it writes a line for each request to a witness or another process of ours: one a checkpoint, for ever.
    logging.getLogger("httpx").setLevel(logging.NOTSET if settings.level == "debug" else logging.WARNING)
