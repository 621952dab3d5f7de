"""The rows of content, by digest."""

from collections.abc import Mapping

import apsw

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.storage.life import CONTENTS, ContentEvent, ContentState
from simple_registry.storage.records import ContentRecord
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.rows.holding import REMOVALS, record_of

_FIND = "SELECT digest, size, place, version FROM contents WHERE digest = ? AND state = 'whole'"
_MARK = "UPDATE contents SET state = ?1 WHERE digest = ?2 AND place = ?3 AND version = ?4 AND state = ?5"
_VERIFIED = """
UPDATE contents SET stamp = ?, verified = ? WHERE digest = ? AND place = ? AND version = ? AND state = 'whole'
"""


class SqliteContentRows:
    """Content, as rows record it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find_content(self, digest: Digest) -> ContentRecord | None:
        """Return the content if it is whole, in whatever repository."""
        row = self._database.row(_FIND, str(digest))
        return None if row is None else record_of(row)

    async def removals(self) -> int:
        """Return the number of removals so far."""
        return self._database.cached("removals", lambda: int(self._database.rows(REMOVALS)[0][0] or 0))

    async def mark_damaged(self, record: ContentRecord) -> bool:
        """Mark content whose bytes are damaged or missing, unless they were placed again since."""
        whole = ContentState.WHOLE
        damaged = CONTENTS[whole][ContentEvent.FOUND_DAMAGED]
        bindings = (damaged, str(record.digest), record.place, record.version, whole)
        return await self._database.execute(_MARK, *bindings, durable=False) > 0

    async def mark_verified(self, stamps: Mapping[ContentRecord, str]) -> None:
        """Keep the stamps of bytes that are now known to be those of their digests, unless they were placed again."""
        now = self._clock.now()
        rows = [(stamp, now, str(each.digest), each.place, each.version) for each, stamp in stamps.items()]

        def mark(connection: apsw.Connection) -> None:
            connection.executemany(_VERIFIED, rows)

        await self._database.write(mark, durable=False)
