"""Log formats: text lines for people, JSON lines for programs."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

# color_message: uvicorn's coloured copy of some messages.
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}


def configuration(format: str) -> dict[str, Any]:
    """Return the argument of ``logging.config.dictConfig``: log to stderr, as ``text`` or ``json``."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"ours": {"()": {"text": Text, "json": Json}[format]}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "ours"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"n2n": {"level": "INFO"}, "uvicorn": {"level": "INFO"}},
    }


class Text(logging.Formatter):
    """Time, level and message, then the record's own fields as ``name=value``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802, logging's name
        """Format the line, without an exception."""
        return " ".join([super().formatMessage(record), *(f"{k}={v}" for k, v in _fields(record).items())])


class Json(logging.Formatter):
    """One JSON object per line; tracebacks are strings."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields passed as ``extra``."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
