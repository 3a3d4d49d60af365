"""The log on standard error: lines for people, or one JSON object a line for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from config.settings import HubSection

_DELIVERIES = "flattr.deliveries"
"""Its messages are JSON objects of allow-listed fields, a line for each delivery of a turn, see webhooks.journal."""

_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message, and what was given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in _PLAIN}
        if record.name == _DELIVERIES:
            told = [json.loads(each) for each in record.getMessage().splitlines()]
            return "\n".join(json.dumps(line | {"message": "delivery", **each}) for each in told)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class Lines(logging.Formatter):
    """Time, level where it matters, message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback below it if there is one."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        if record.name == _DELIVERIES:
            return "\n".join(
                f"{at}  delivery from {told['platform']}: {told['outcome']} ({told['status']}), {told['ms']} ms"
                for told in map(json.loads, record.getMessage().splitlines())
            )
        more = {name: value for name, value in record.__dict__.items() if name not in _PLAIN}
        rest = "".join(f"  {name}={value}" for name, value in more.items())
        text = f"{at}  {level}{record.getMessage()}{rest}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def set_up(hub: HubSection) -> None:
    """Send everything to standard error at the level of the settings; libraries only say what matters."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if hub.log_format == "json" else Lines())
    logging.basicConfig(level=hub.log_level.upper(), handlers=[handler], force=True)
    if hub.log_level != "debug":
        # aiohttp.access would repeat every delivery; the others tell of each routine step.
        for chatty in ("aiohttp.access", "alembic", "apscheduler", "discord", "stripe"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
