"""The rows of a copied database, which nothing else uses: what a backup or a recovery needs of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

import apsw

from simple_registry.oci.digests import Digest
from simple_registry.storage.inspection import Uses
from simple_registry.storage.life import CONTENTS, ContentEvent, ContentState
from simple_registry.storage.records import ContentRecord
from simple_registry.storage.sqlite.defects import WELL_FORMED
from simple_registry.storage.sqlite.engine.connections import fault, open_connection
from simple_registry.storage.sqlite.inspection import find_uses
from simple_registry.storage.sqlite.rows.holding import record_of

# What is condemned is not copied: no repository holds it, and the collector of a restored registry forgets it.
_KEPT = f"state <> 'condemned' AND {WELL_FORMED}"
_TOTALS = f"SELECT count(*), coalesce(sum(size), 0) FROM contents WHERE {_KEPT}"
_CONTENTS = f"SELECT digest, size, place, version FROM contents WHERE {_KEPT} AND digest > ? ORDER BY digest LIMIT ?"
_UNDER = f"SELECT digest, size, state FROM contents WHERE digest > ? AND digest < ? AND {WELL_FORMED}"
_MARK = "UPDATE contents SET state = ? WHERE digest = ? AND state = ?"
_VERIFIED = "UPDATE contents SET stamp = ?, verified = ? WHERE digest = ? AND state = 'whole'"
_GRACES = (
    "UPDATE repository_blobs SET since = ?, extended = 0 WHERE state <> 'needed'",
    "UPDATE manifests SET since = ?, extended = 0 WHERE state <> 'needed'",
)
_COUNTER = """
INSERT INTO sqlite_sequence (name, seq)
SELECT 'journal', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'journal')
"""
_SKIP = "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'journal'"
_PAGE = 1000

SKIPPED_IDS = 1_000_000
"""Ids of events that a restored database leaves out: so many may have been given away after the copy was made."""


class CopiedRows:
    """The rows of a database, for a block."""

    def __init__(self, path: str) -> None:
        """Open the database at `path`. Raises: StorageFault."""
        try:
            self._connection = open_connection(path)
        except apsw.Error as error:
            raise fault("read the copied rows", error) from error

    def __enter__(self) -> Self:
        """Begin the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None) -> None:
        """Move the rows of the log into the database, and close it."""
        self._connection.close()

    def forget_sessions(self) -> None:
        """Remove the rows of upload sessions, whose bytes were not copied."""
        self._connection.execute("DELETE FROM upload_sessions")

    def forget_condemned(self) -> None:
        """Remove the rows of condemned content: what is still stored may have been pushed again after the copy."""
        self._connection.execute("DELETE FROM contents WHERE state = 'condemned'")

    def resume(self, now: float) -> None:
        """Prepare the rows of another time: graces begin now, no id of an event comes again, sessions have no bytes."""
        self.forget_sessions()
        with self._connection:
            for statement in _GRACES:
                self._connection.execute(statement, (now,))
            self._connection.execute(_COUNTER)
            self._connection.execute(_SKIP, (SKIPPED_IDS,))

    def totals(self) -> tuple[int, int]:
        """Return the number of contents, and their bytes."""
        contents, size = self._connection.execute(_TOTALS).fetchall()[0]
        return int(contents or 0), int(size or 0)

    def contents(self) -> Iterator[ContentRecord]:
        """Yield all content that a repository holds, in order of digest."""
        after = ""
        while page := self._connection.execute(_CONTENTS, (after, _PAGE)).fetchall():
            yield from map(record_of, page)
            after = str(page[-1][0])

    def stored_under(self, prefix: str) -> Mapping[str, tuple[int, ContentState]]:
        """Return the size and state of each content whose digest begins with `algorithm:xx`."""
        rows = self._connection.execute(_UNDER, (prefix, f"{prefix}~")).fetchall()
        return {str(digest): (int(size or 0), ContentState(str(state))) for digest, size, state in rows}

    def mark_verified(self, stamps: Iterable[tuple[Digest, str]], now: float) -> None:
        """Keep the stamps of content that was just verified."""
        with self._connection:
            self._connection.executemany(_VERIFIED, ((stamp, now, str(digest)) for digest, stamp in stamps))

    def mark_damaged(self, digests: Sequence[str]) -> None:
        """Mark whole content as damaged."""
        whole = ContentState.WHOLE
        damaged = CONTENTS[whole][ContentEvent.FOUND_DAMAGED]
        with self._connection:
            self._connection.executemany(_MARK, [(damaged, digest, whole) for digest in digests])

    def uses(self, digest: Digest, limit: int) -> Uses:
        """Return up to `limit` repositories and tags that use this content."""
        return find_uses(self._connection, digest, limit)
