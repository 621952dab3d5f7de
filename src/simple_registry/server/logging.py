"""The formats of log lines: `key=value` for people, JSON for machines.

Modules log with `logging.getLogger("simple_registry.…")` and pass facts as `extra={"fields": {...}}`. Text from clients
belongs in fields and can be anything: both formats escape control characters, so that no client can forge a line.

All workers write to one stream. Writes to a pipe are atomic up to `PIPE_BUF` bytes (pipe(7)), so lines for a pipe are
shortened to that size. Otherwise a line could be torn, and its rest would be a line written by a client.
"""

import asyncio
import io
import json
import logging
import os
import re
import select
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from functools import lru_cache
from typing import TextIO

import msgspec

from simple_registry.config.settings import LogFormat, LogLevel
from simple_registry.request_id import REQUEST_ID
from simple_registry.times import format_moment

ROOT = "simple_registry"
_ENCODER = json.JSONEncoder(default=str, separators=(",", ":"))
_FAST_ENCODER = msgspec.json.Encoder(enc_hook=str)
_PLAIN = re.compile(r"[^\s\"'=\\]+")
_MIN_TEXT = 16
"""Texts below this length are not shortened."""


class _Formatter(logging.Formatter):
    """The steps from a record to a line that both formats share."""

    def __init__(self, max_size: int | None = None) -> None:
        """Make lines of at most `max_size` bytes, line end included; `None` is no limit."""
        super().__init__()
        self._max_size = max_size

    def line(self, created: float, level: str, logger: str, message: str, fields: Mapping[str, object]) -> str:
        """Return a line; `created` is in seconds since the epoch."""
        line = self._line(created, level, logger, message, fields)
        if self._max_size is None or size_of(line) < self._max_size:
            return line

        def render(facts: Mapping[str, object]) -> str:
            own = {name: value for name, value in facts.items() if name}
            return self._line(created, level, logger, str(facts[""]), own)

        return fitted(render, {"": message, **fields}, self._max_size)

    def _line(self, created: float, level: str, logger: str, message: str, fields: Mapping[str, object]) -> str:
        """Return a line of any length."""
        raise NotImplementedError

    def fields(self, record: logging.LogRecord) -> Mapping[str, object]:
        """Return the fields of a record, with the id of the request during which it was written."""
        fields = getattr(record, "fields", None)
        fields = fields if isinstance(fields, Mapping) else {}
        request = REQUEST_ID.get()
        return fields if request is None or "request" in fields else {**fields, "request": request}

    def traceback(self, record: logging.LogRecord) -> str:
        """Return the traceback of the record, or nothing."""
        return self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""


def moment(created: float) -> str:
    """Return a moment, RFC 3339, in UTC with milliseconds."""
    second = int(created)
    return f"{_second(second)[:-1]}.{int((created - second) * 1000):03d}Z"


_second = lru_cache(maxsize=1)(format_moment)  # most lines of a second share it


class TextFormatter(_Formatter):
    """`2026-01-31T12:00:00.000Z info    message key=value`; a traceback follows on indented lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record and, below it, its traceback."""
        line = self.line(record.created, record.levelname, record.name, record.getMessage(), self.fields(record))
        return "\n".join([line, *map(self._below, self.traceback(record).splitlines())])

    def _line(self, created: float, level: str, _logger: str, message: str, fields: Mapping[str, object]) -> str:
        facts = "".join(f" {name}={_text(value)}" for name, value in fields.items())
        return f"{moment(created)} {level.lower():<7} {printable(message)}{facts}"

    def _below(self, text: str) -> str:
        def render(facts: Mapping[str, object]) -> str:
            return f"    {printable(str(facts['']))}"

        return render({"": text}) if self._max_size is None else fitted(render, {"": text}, self._max_size)


class JsonFormatter(_Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, the fields, and `traceback` when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields, traceback = self.fields(record), self.traceback(record)
        fields = {**fields, "traceback": traceback} if traceback else fields
        return self.line(record.created, record.levelname, record.name, record.getMessage(), fields)

    def _line(self, created: float, level: str, logger: str, message: str, fields: Mapping[str, object]) -> str:
        if not _OWN_FIELDS.isdisjoint(fields):
            fields = {name: value for name, value in fields.items() if name not in _OWN_FIELDS}
        begin = f'{{"time":"{moment(created)}",{_middle(level, logger, message)}'
        return f"{begin},{json_line(fields)[1:]}" if fields else f"{begin}}}"


_OWN_FIELDS = frozenset({"time", "level", "logger", "message"})


@lru_cache
def _middle(level: str, logger: str, message: str) -> str:
    """Return the part of a line between its time and its fields."""
    return json_line({"level": level.lower(), "logger": logger, "message": message})[1:-1]


def json_line(document: Mapping[str, object]) -> str:
    """Return JSON in ASCII without control characters; the fast encoder does not escape all of them."""
    try:
        encoded = _FAST_ENCODER.encode(document)
    except (UnicodeEncodeError, ValueError, TypeError):  # a lone surrogate from a client
        return _ENCODER.encode(document)
    return encoded.decode("ascii") if encoded.isascii() and b"\x7f" not in encoded else _ENCODER.encode(document)


def pipe_limit(descriptor: int) -> int | None:
    """Return the size of atomic writes to a pipe; `None` for a file, where all appends are atomic."""
    return select.PIPE_BUF if stat.S_ISFIFO(os.fstat(descriptor).st_mode) else None


def size_of(line: str) -> int:
    """Return the size of a line in bytes."""
    return len(line) if line.isascii() else len(line.encode(errors="surrogatepass"))


def fitted(render: Callable[[Mapping[str, object]], str], facts: Mapping[str, object], max_size: int) -> str:
    """Render facts in fewer than `max_size` bytes, by cutting the middle of the longest texts."""
    facts = dict(facts)
    line = render(facts)
    while size_of(line) >= max_size:
        name = max(facts, key=lambda name: len(_ENCODER.encode(str(facts[name]))))
        text = str(facts[name])
        if len(text) < _MIN_TEXT:
            break
        facts[name] = f"{text[: len(text) // 4]}...{text[-len(text) // 4 :]}"
        line = render(facts)
    return line


class _LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines; a log that cannot be written does not stop the registry."""

    def __init__(self, stream: TextIO, max_size: int | None) -> None:
        """Write to `stream`, in pieces of at most `max_size` bytes."""
        super().__init__(stream)
        self.max_size = max_size

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of a record, or its lines."""
        try:
            lines = self.format(record).split("\n")
        except Exception:  # noqa: BLE001 (as in the standard library: a bad record must not stop the program)
            self.handleError(record)
        else:
            for piece in _pieces(lines, self.max_size):
                self.write(piece)

    def write(self, lines: str) -> None:
        """Write whole lines."""
        with self.lock or nullcontext(), suppress(OSError, ValueError):
            self.stream.write(lines)
            self.stream.flush()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (named by the standard library)
        """Drop the line."""


class FieldLines:
    """Writes lines that differ only in their fields, without `logging` records, which cost more than a request.

    Lines are collected until the next turn of the event loop, so that requests answered together share a system call.
    """

    def __init__(self, logger: str, message: str) -> None:
        """Write `message` at level info for `logger`, in the configured format and to the configured stream."""
        self._logger = logging.getLogger(logger)
        self._message = message
        self._handler = next((each for each in logging.getLogger().handlers if isinstance(each, _LineHandler)), None)
        self._gathered: list[str] = []

    def __call__(self, fields: Mapping[str, object]) -> None:
        """Write a line."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        formatter = self._handler.formatter if self._handler is not None else None
        if not isinstance(formatter, _Formatter):  # `configure_logging` was not called
            self._logger.info(self._message, extra={"fields": fields})
            return
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._write)
        self._gathered.append(formatter.line(time.time(), "INFO", self._logger.name, self._message, fields))

    def _write(self) -> None:
        lines, self._gathered = self._gathered, []
        if self._handler is not None:
            for piece in _pieces(lines, self._handler.max_size):
                self._handler.write(piece)


def _pieces(lines: Iterable[str], max_size: int | None) -> Iterator[str]:
    """Yield lines joined into pieces of at most `max_size` bytes."""
    piece, size = "", 0
    for line in lines:
        length = 1 + size_of(line)
        if piece and max_size is not None and size + length > max_size:
            yield piece
            piece, size = "", 0
        piece += f"{line}\n"
        size += length
    yield piece


def printable(text: str) -> str:
    r"""Return `text` with everything but visible characters and spaces escaped, as `\x1b` or `\u2028`."""
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


def _limit_of(stream: TextIO) -> int | None:
    try:
        return pipe_limit(stream.fileno())
    except (OSError, ValueError):  # not a file
        return None


def write_errors_at_once() -> None:
    """Make standard error unbuffered.

    After a full disk, a buffer would be written again with every line, at each fork, and at exit.
    """
    raw = io.FileIO(sys.stderr.fileno(), "w", closefd=False)
    sys.stderr = io.TextIOWrapper(raw, sys.stderr.encoding, "backslashreplace", write_through=True)


def configure_logging(level: LogLevel, form: LogFormat, stream: TextIO | None = None) -> None:
    """Send the log from `level` on to `stream` (default: standard error). A second call replaces the configuration."""
    target = sys.stderr if stream is None else stream
    text = form is LogFormat.TEXT or (form is LogFormat.AUTO and target.isatty())
    max_size = _limit_of(target)
    handler = _LineHandler(target, max_size)
    handler.setFormatter(TextFormatter(max_size) if text else JsonFormatter(max_size))
    # Lines have no source position, thread or task; looking them up would cost a tenth of a request.
    logging._srcfile = None  # noqa: SLF001 (the switch that the logging guide names)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, _LineHandler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # libraries report only warnings and errors
    logging.getLogger(ROOT).setLevel(getattr(logging, level.name))
