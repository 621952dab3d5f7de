"""Where log lines get their look: one `key=value` line for people, one JSON object for machines.

Any module logs with `logging.getLogger("simple_registry.…")` and gives facts as `extra={"fields": {...}}`. What came
from a client stands in fields and may hold anything; both forms escape control characters, so that no client can forge
a line.
"""

import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TextIO

from simple_registry.config.settings import LogFormat, LogLevel

ROOT = "simple_registry"
_ENCODER = json.JSONEncoder(default=str, separators=(",", ":"))
_PLAIN = re.compile(r"[^\s\"'=\\]+")


class _Formatter(logging.Formatter):
    """What both forms share: the time in UTC with milliseconds, and the fields of a record."""

    def time(self, record: logging.LogRecord) -> str:
        """Return the moment of the record, RFC 3339."""
        return f"{_second(int(record.created))}.{int(record.msecs):03d}Z"

    def fields(self, record: logging.LogRecord) -> Mapping[str, object]:
        """Return the facts of the record."""
        fields = getattr(record, "fields", None)
        return fields if isinstance(fields, Mapping) else {}

    def traceback(self, record: logging.LogRecord) -> str:
        """Return the traceback of the record, or nothing."""
        return self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""


@lru_cache(maxsize=1)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


class TextFormatter(_Formatter):
    """`2026-01-31T12:00:00.000Z info    message key=value`; a traceback follows on indented lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`."""
        line = f"{self.time(record)} {record.levelname.lower():<7} {printable(record.getMessage())}"
        for name, value in self.fields(record).items():
            line += f" {name}={_text(value)}"
        for below in self.traceback(record).splitlines():
            line += f"\n    {printable(below)}"
        return line


class JsonFormatter(_Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, the fields, and `traceback` when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`."""
        line: dict[str, object] = {
            "time": self.time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in self.fields(record).items():
            line.setdefault(name, value)
        if traceback := self.traceback(record):
            line["traceback"] = traceback
        return _ENCODER.encode(line)


class _LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines; a log that nobody reads any more does not stop the registry."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (named by the standard library)
        """Drop the line."""


def printable(text: str) -> str:
    r"""Return `text` with everything that is no visible character or space escaped, as `\x1b` or `\u2028`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii") if not "\ud800" <= char <= "\udfff" else f"\\u{ord(char):04x}"


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if _PLAIN.fullmatch(text) and text.isprintable():
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(quoted)}"'


def configure_logging(level: LogLevel, form: LogFormat, stream: TextIO | None = None) -> None:
    """Send the log to `stream` (standard error) from `level` on; calling it again replaces what was configured."""
    target = sys.stderr if stream is None else stream
    text = form is LogFormat.TEXT or (form is LogFormat.AUTO and target.isatty())
    handler = _LineHandler(target)
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    # No line tells where in the code, in which thread or task it was written; finding out costs a tenth of a request.
    logging._srcfile = None  # noqa: SLF001 (the switch that the logging guide names)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, _LineHandler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # other people's libraries speak up only when something is wrong
    logging.getLogger(ROOT).setLevel(getattr(logging, level.name))
