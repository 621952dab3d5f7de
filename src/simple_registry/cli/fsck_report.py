"""What `fsck` prints: findings and a summary, for people or as JSON lines, and progress."""

import json
import time
from collections.abc import Iterator
from typing import Protocol, TextIO

from simple_registry.cli import fsck_words
from simple_registry.operations.fsck.findings import Finding, Mode, Progress, Summary
from simple_registry.server.logging import printable
from simple_registry.sizes import counted

TERMINAL_SECONDS = 0.5
LOG_SECONDS = 5.0
"""Seconds between two lines where they are not written over each other."""

_MIB = 1024 * 1024


class Report(Protocol):
    """Writes findings and their summary."""

    def finding(self, finding: Finding) -> None:
        """Write one finding."""

    def summary(self, summary: Summary, progress: Progress, mode: Mode, seconds: float) -> None:
        """Write the result of the whole check."""


class TextReport:
    """One line for each finding: kind, what it is about and affects, what is wrong, what was and what is to be done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def finding(self, finding: Finding) -> None:
        """Write a finding's line."""
        parts = [finding.kind, _subject(finding), *_affected(finding), fsck_words.detail(finding)]
        sentences = [": ".join(part for part in parts if part)]
        sentences += [f"done: {done}"] if (done := fsck_words.done(finding)) else []
        sentences += [f"to do: {to_do}"] if (to_do := fsck_words.to_do(finding)) else []
        self._stream.write(printable("; ".join(sentences)) + "\n")
        self._stream.flush()

    def summary(self, summary: Summary, progress: Progress, mode: Mode, seconds: float) -> None:
        """Write one line: whether anything is wrong."""
        read = f", {progress.bytes_read / _MIB:.1f} MiB read" if mode.deep else ""
        checked = f"{counted(progress.contents_checked, 'content')} checked{read} in {seconds:.1f} s"
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(summary.found.items()))
        remarks = f"; {counted(summary.remarks, 'remark')}" if summary.remarks else ""
        if summary.found:
            verdict = f"{kinds}; {summary.repaired} repaired, {summary.remaining} remaining"
        else:
            verdict = "nothing is wrong"
        self._stream.write(f"{checked}: {verdict}{remarks}\n")
        self._stream.flush()


class JsonReport:
    """One JSON object for each finding, and one with `summary`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def finding(self, finding: Finding) -> None:
        """Write a finding's object; what does not apply to its kind is left out."""
        facts = {
            "finding": finding.kind.value,
            "digest": finding.digest,
            "path": finding.path,
            "repository": finding.repository,
            "tag": finding.tag,
            "repositories": finding.repositories or None,
            "tags": finding.tags or None,
            "detail": fsck_words.detail(finding),
            "done": fsck_words.done(finding) or None,
            "advice": fsck_words.to_do(finding) or None,
            "repaired": finding.repaired,
            "remark": finding.remark,
        }
        self._write({name: value for name, value in facts.items() if value is not None})

    def summary(self, summary: Summary, progress: Progress, mode: Mode, seconds: float) -> None:
        """Write the summary's object."""
        facts = {
            "contents": progress.contents_checked,
            "bytesRead": progress.bytes_read,
            "deep": mode.deep,
            "repair": mode.repair,
            "seconds": round(seconds, 3),
            "found": {kind.value: count for kind, count in sorted(summary.found.items())},
            "repaired": summary.repaired,
            "remaining": summary.remaining,
            "remarks": summary.remarks,
        }
        self._write({"summary": facts})

    def _write(self, value: object) -> None:
        self._stream.write(json.dumps(value, separators=(",", ":")) + "\n")
        self._stream.flush()


class ProgressLine:
    """The progress of a command: one line that is overwritten on a terminal, a new line now and then elsewhere."""

    def __init__(self, stream: TextIO, *, deep: bool = False) -> None:
        """Write to `stream`; a `deep` check is measured in bytes."""
        self._stream = stream
        self._deep = deep
        self._terminal = stream.isatty()
        self._began = time.monotonic()
        self._shown = False
        self.interval = TERMINAL_SECONDS if self._terminal else LOG_SECONDS

    def show(self, progress: Progress) -> None:
        """Write the current line of a check."""
        self.write(progress_text(progress, time.monotonic() - self._began, deep=self._deep))

    def write(self, text: str) -> None:
        """Write the current line."""
        self._stream.write(f"\r\033[K{text}" if self._terminal else f"{text}\n")
        self._stream.flush()
        self._shown = self._terminal

    def clear(self) -> None:
        """Clear the line of a terminal, so that something else can be written."""
        if self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()
            self._shown = False


def progress_text(progress: Progress, seconds: float, *, deep: bool) -> str:
    """Return `content: 1000 of 5000 contents, 10.0 of 50.0 MiB, 5.0 MiB/s, 8 s to go`."""
    done, all_of = (progress.bytes_read, progress.bytes) if deep else (progress.contents_checked, progress.contents)
    words = [f"{progress.step}: {progress.contents_checked} of {counted(progress.contents, 'content')}"]
    if deep:
        words.append(f"{progress.bytes_read / _MIB:.1f} of {progress.bytes / _MIB:.1f} MiB")
    if seconds > 0:
        words.append(f"{done / _MIB / seconds:.1f} MiB/s" if deep else f"{done / seconds:.0f}/s")
    if done:
        words.append(f"{max(all_of - done, 0) * seconds / done:.0f} s to go")
    return ", ".join(words)


def _subject(finding: Finding) -> str:
    """Return what a finding is about."""
    if finding.repository:
        tag = f":{finding.tag}" if finding.tag else ""
        return f"{finding.repository}{tag}{f'@{finding.digest}' if finding.digest else ''}"
    return finding.digest or finding.path or ""


def _affected(finding: Finding) -> Iterator[str]:
    tagged = {tag.partition(":")[0] for tag in finding.tags}
    names = [*finding.tags, *(name for name in finding.repositories if name not in tagged)]
    if names:
        yield f"affects {' '.join(names)}"
