"""What backup, restore and recovery show: progress on a terminal, and damaged content."""

import time
from typing import TextIO

from simple_registry.backends.copying import Damaged
from simple_registry.cli.fsck_report import ProgressLine
from simple_registry.operations.fsck.findings import Progress


class CopyProgress:
    """Shows one line on a terminal, from time to time; elsewhere nothing."""

    def __init__(self, stream: TextIO, step: str) -> None:
        """Write to `stream`; `step` names what is done."""
        self._progress = Progress()
        self._progress.step = step
        self._line = ProgressLine(stream, deep=True) if stream.isatty() else None
        self._shown_at = 0.0

    def begin(self, contents: int, size: int) -> None:
        """Learn how many contents and bytes there are in all."""
        self._progress.contents, self._progress.bytes = contents, size

    def read(self, size: int) -> None:
        """Count bytes that were read."""
        self._progress.read(size)
        if self._line is not None and time.monotonic() - self._shown_at >= self._line.interval:
            self._shown_at = time.monotonic()
            self._line.show(self._progress)

    def done(self) -> None:
        """Count one content."""
        self._progress.contents_checked += 1

    def clear(self) -> None:
        """Clear the line, so that something else can be written."""
        if self._line is not None:
            self._line.clear()


def damaged_line(each: Damaged) -> str:
    """Return the line about damaged content, without an end."""
    uses = " ".join(each.uses.tags or each.uses.repositories)
    return f"damaged: {each.digest}: {each.reason}{f'; affects {uses}' if uses else ''}"


def described_damage(each: Damaged) -> dict[str, object]:
    """Return damaged content as an object for JSON."""
    uses = {"repositories": each.uses.repositories, "tags": each.uses.tags}
    return {"digest": str(each.digest), "reason": each.reason, **uses}
