"""Where log lines get their look: one `key=value` line for people, one JSON object for machines.

Any module logs with `logging.getLogger("simple_registry.…")` and gives facts as `extra={"fields": {...}}`. What came
from a client stands in fields and may hold anything; both forms escape control characters, so that no client can forge
a line.
"""

import asyncio
import json
import logging
import re
import select
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from functools import lru_cache
from typing import TextIO, TypeGuard

import msgspec

from simple_registry.config.settings import LogFormat, LogLevel
from simple_registry.current import REQUEST

ROOT = "simple_registry"
_ENCODER = json.JSONEncoder(default=str, separators=(",", ":"))
_FAST_ENCODER = msgspec.json.Encoder(enc_hook=str)
_PLAIN = re.compile(r"[^\s\"'=\\]+")


class _Formatter(logging.Formatter):
    """What both forms share: how a record becomes a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`."""
        line = self.line(record.created, record.levelname, record.name, record.getMessage(), self.fields(record))
        return self.with_traceback(line, self.traceback(record))

    def line(self, created: float, level: str, logger: str, message: str, fields: Mapping[str, object]) -> str:
        """Return a line; `created` is in seconds since the epoch."""
        raise NotImplementedError

    def with_traceback(self, line: str, traceback: str) -> str:
        """Return a line with a traceback, which may be empty."""
        raise NotImplementedError

    def fields(self, record: logging.LogRecord) -> Mapping[str, object]:
        """Return the facts of the record, and the request during which it was written."""
        fields = getattr(record, "fields", None)
        fields = fields if isinstance(fields, Mapping) else {}
        request = REQUEST.get()
        return fields if request is None or "request" in fields else {**fields, "request": request}

    def traceback(self, record: logging.LogRecord) -> str:
        """Return the traceback of the record, or nothing."""
        return self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""


def moment(created: float) -> str:
    """Return a moment, RFC 3339, in UTC with milliseconds."""
    second = int(created)
    return f"{_second(second)}.{int((created - second) * 1000):03d}Z"


@lru_cache(maxsize=1)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


class TextFormatter(_Formatter):
    """`2026-01-31T12:00:00.000Z info    message key=value`; a traceback follows on indented lines."""

    def line(self, created: float, level: str, _logger: str, message: str, fields: Mapping[str, object]) -> str:
        """Return a line of text."""
        facts = "".join(f" {name}={_text(value)}" for name, value in fields.items())
        return f"{moment(created)} {level.lower():<7} {printable(message)}{facts}"

    def with_traceback(self, line: str, traceback: str) -> str:
        """Return the line and, below it, the traceback."""
        return line + "".join(f"\n    {printable(below)}" for below in traceback.splitlines())


class JsonFormatter(_Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, the fields, and `traceback` when there is one."""

    def line(self, created: float, level: str, logger: str, message: str, fields: Mapping[str, object]) -> str:
        """Return a line that holds one JSON object."""
        if not _OURS.isdisjoint(fields):
            fields = {name: value for name, value in fields.items() if name not in _OURS}
        begin = f'{{"time":"{moment(created)}",{_middle(level, logger, message)}'
        return f"{begin},{json_line(fields)[1:]}" if fields else f"{begin}}}"

    def with_traceback(self, line: str, traceback: str) -> str:
        """Return the object with its traceback."""
        return f'{line[:-1]},"traceback":{_ENCODER.encode(traceback)}}}' if traceback else line


_OURS = frozenset({"time", "level", "logger", "message"})


@lru_cache
def _middle(level: str, logger: str, message: str) -> str:
    """Return what lines have between their time and their fields."""
    return json_line({"level": level.lower(), "logger": logger, "message": message})[1:-1]


def json_line(document: Mapping[str, object]) -> str:
    """Return JSON in ASCII without control characters; the slow encoder escapes what the fast one lets through."""
    try:
        encoded = _FAST_ENCODER.encode(document)
    except (UnicodeEncodeError, ValueError, TypeError):  # half a surrogate pair, from a client
        return _ENCODER.encode(document)
    return encoded.decode("ascii") if encoded.isascii() and b"\x7f" not in encoded else _ENCODER.encode(document)


class _LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines; a log that nobody reads any more does not stop the registry."""

    def write(self, lines: str) -> None:
        """Write whole lines."""
        with self.lock or nullcontext(), suppress(OSError, ValueError):
            self.stream.write(lines)
            self.stream.flush()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (named by the standard library)
        """Drop the line."""


def _is_ours(handler: logging.Handler) -> TypeGuard[_LineHandler]:
    return isinstance(handler, _LineHandler)


class FieldLines:
    """Writes lines that differ in their fields only, past the machinery of `logging`, which costs more than a request.

    Lines are gathered until the event loop's next turn, so that requests answered together share system calls.
    """

    def __init__(self, logger: str, message: str) -> None:
        """Write `message` at level info in the name of `logger`, in the form and to the stream that were configured."""
        self._logger = logging.getLogger(logger)
        self._message = message
        self._handler = next(filter(_is_ours, logging.getLogger().handlers), None)
        self._gathered: list[str] = []

    def __call__(self, fields: Mapping[str, object]) -> None:
        """Write a line."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        formatter = self._handler.formatter if self._handler is not None else None
        if not isinstance(formatter, _Formatter):  # nothing of ours is configured
            self._logger.info(self._message, extra={"fields": fields})
            return
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._write)
        self._gathered.append(formatter.line(time.time(), "INFO", self._logger.name, self._message, fields))

    def _write(self) -> None:
        lines, self._gathered = self._gathered, []
        if self._handler is not None:
            for piece in _pieces(lines):
                self._handler.write(piece)


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines together, as many as a pipe takes in one piece: all workers write to the same one."""
    piece, size = "", 0
    for line in lines:
        length = 1 + (len(line) if line.isascii() else len(line.encode(errors="surrogatepass")))
        if piece and size + length > select.PIPE_BUF:
            yield piece
            piece, size = "", 0
        piece += f"{line}\n"
        size += length
    yield piece


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
