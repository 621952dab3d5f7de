"""The file of the audit stream: lines of JSON, appended by every worker, each in one write.

Each worker opens it by itself, so SIGHUP, which exchanges the workers, opens it anew after a rotation.
Whatever goes wrong with it stops nobody: the registry goes on, says so with every line that is lost, and puts the line
into the log, which is another file.
"""

import errno
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

from simple_registry.config.values import ConfigError, StandardOutput
from simple_registry.server.logging import fitted, json_line, moment, pipe_limit

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
"""The last one is about pipes: nobody waits for a reader, neither at the start nor with a line."""

_log = logging.getLogger("simple_registry")


def check_audit_file(path: Path | StandardOutput | None) -> None:
    """Open the file once, as a worker will; on a disk without room for a new one, lines are lost until there is some.

    Raises: ConfigError.
    """
    if not isinstance(path, Path):
        return
    try:
        os.close(_open(path))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return
        raise ConfigError(f"cannot write the audit stream to {path}: {error.strerror}; see -audit-log") from error


class AuditFile:
    """Appends lines to a file, or to standard output."""

    def __init__(self, path: Path | StandardOutput) -> None:
        """Open the file with the first line; when that fails, every line tries again."""
        self._path = path
        self._descriptor: int | None = None
        self._longest: int | None = None
        self._torn = False
        self.lines = 0
        self.failures = 0
        """Lines that were lost."""

    def write(self, fields: Mapping[str, object]) -> None:
        """Append a line; never raises."""
        line = {"time": moment(time.time()), **fields}
        try:
            self._append(line)
            self.lines += 1
        except OSError as error:
            self.failures += 1
            _log.error(
                "the audit stream cannot be written: %s; what it lacks follows", error.strerror, extra={"fields": line}
            )

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, fields: Mapping[str, object]) -> None:
        """Append a line in one write: then the kernel keeps those of several processes apart."""
        if self._descriptor is None:
            self._descriptor = _open(self._path)
            self._longest = pipe_limit(self._descriptor)
        line = json_line(fields) if self._longest is None else fitted(json_line, fields, self._longest)
        data = line.encode("ascii") + b"\n"
        # After a line that was cut short by a full disk, the next one begins on a line of its own.
        data = b"\n" + data if self._torn else data
        written = os.write(self._descriptor, data)
        self._torn = written < len(data)
        if self._torn:
            raise OSError(0, "the line was cut short")


def _open(path: Path | StandardOutput) -> int:
    return os.open(path, _FLAGS, 0o600) if isinstance(path, Path) else os.dup(1)
