"""Whether the documents are finished: the parent decides, and its workers read that in memory that all of them share.

    parent   looks at the files, then at who writes them ──► │ hash of both │ reason │
    worker   looks at the files: are they those of the parent, and is there no reason? ◄──┘

Only the parent saw every writer begin. The hash covers files and reason, so one that is read while the parent writes it
fits nothing, and the worker waits for its next look.
"""

import mmap
import os
import struct
from pathlib import Path

from simple_registry.config.directories import Signature, directories_of, signature
from simple_registry.config.writers import Writers

UNKNOWN = ""
"""The reason while the parent has not looked at the files as they are now."""

_SHARED = struct.Struct("q4088s")


class Unfinished:
    """Returns why the documents had better not be loaded, as far as a writer began after the first look."""

    def __init__(self, directories: tuple[Path, ...]) -> None:
        """Decide in this process, for those that it forks."""
        self._directories = directories
        self._parent = os.getpid()
        self._writers = Writers()
        self._shared = mmap.mmap(-1, _SHARED.size)

    def __call__(self) -> str | None:
        """Return the reason; `None` when there is none."""
        found = signature(self._directories)
        if os.getpid() == self._parent:
            reason = self._reason(found).encode(errors="surrogateescape")[: _SHARED.size - 8]
            _SHARED.pack_into(self._shared, 0, hash((found, reason)), reason)
        else:
            told, padded = _SHARED.unpack_from(self._shared)
            reason = padded.rstrip(b"\0")
            if told != hash((found, reason)):
                return UNKNOWN
        return reason.decode(errors="surrogateescape") if reason else None

    def _reason(self, found: Signature) -> str:
        written = self._writers.look(directories_of(found)) & {path for path, *_ in found}
        return f"{min(written)}: a program writes to it, and has not closed it yet" if written else ""
