"""The times of tags, and the runs of Retentions."""

from collections.abc import Callable, Mapping, Sequence

import apsw
import msgspec

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.records import Actor, Pull, TagPosition, TagRow
from simple_registry.storage.sqlite.engine.database import Database, Row
from simple_registry.storage.sqlite.rows.tags import drop_tag

_ALL = "SELECT tag, digest, pushed, pulled FROM tags WHERE repository = ? ORDER BY tag"
_LAST_PUSHED = """
SELECT tag, digest, pushed, pulled FROM tags
WHERE repository = ?1 AND instr(lower(tag), lower(?2)) AND (?3 IS NULL OR (pushed, tag) < (?3, ?4))
ORDER BY pushed DESC, tag DESC LIMIT ?5
"""
_NAMES = "SELECT tag FROM tags WHERE repository = ? AND instr(lower(tag), lower(?))"
# The names come as one JSON array, in their order. CROSS: each is looked up, and no tag is compared with all of them.
_NAMED = """
SELECT tag, digest, pushed, pulled FROM json_each(?2) CROSS JOIN tags ON repository = ?1 AND tag = value
"""
_FIND = "SELECT tag, digest, pushed, pulled FROM tags WHERE repository = ? AND tag = ?"
# A time that lies in the future is that of a wrong clock.
_PULLED = """
UPDATE tags SET pulled = ?1
WHERE repository = ?2 AND tag = ?3 AND coalesce(pulled, 0) NOT BETWEEN ?1 - ?4 AND ?1 + ?4
"""
_DIGEST_PULLED = """
UPDATE tags SET pulled = ?1
WHERE repository = ?2 AND digest = ?3 AND coalesce(pulled, 0) NOT BETWEEN ?1 - ?4 AND ?1 + ?4
"""
# The manifests of a repository, with a tag or not, that another needed manifest keeps, or not.
_OWNERS = """
SELECT held.digest, EXISTS (
    SELECT 1 FROM manifest_children AS part JOIN manifests AS above USING (repository, digest)
    WHERE part.repository = held.repository AND part.child = held.digest AND above.state = 'needed'
) OR EXISTS (
    SELECT 1 FROM manifests AS subject
    WHERE subject.repository = held.repository AND subject.digest = held.subject AND subject.state = 'needed'
), EXISTS (SELECT 1 FROM tags WHERE tags.repository = held.repository AND tags.digest = held.digest)
FROM json_each(?2) CROSS JOIN manifests AS held ON held.repository = ?1 AND held.digest = value
WHERE held.state <> 'deleted'
"""
_RUNS = "SELECT name, ran FROM retention_runs"
_FORGET_RUNS = "DELETE FROM retention_runs"
_KEEP_RUN = "INSERT INTO retention_runs (name, ran) VALUES (?, ?)"


class SqliteTagTimes:
    """Implements `TagTimes`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def dated_tags(self, repository: RepositoryName) -> Sequence[TagRow]:
        """Return all tags of a repository, as they are at one moment, in ASCII order."""
        return await self._database.in_thread(
            lambda connection: [_tag(row) for row in connection.execute(_ALL, (repository,)).fetchall()]
        )

    async def last_pushed_tags(
        self, repository: RepositoryName, *, containing: str, after: TagPosition | None, limit: int
    ) -> Sequence[TagRow]:
        """Return tags with a text in their names, the last pushed first, after `after`."""
        position = after or (None, None)
        return await self._database.in_thread(
            lambda connection: [
                _tag(row) for row in connection.execute(_LAST_PUSHED, (repository, containing, *position, limit))
            ]
        )

    async def sorted_tags(
        self,
        repository: RepositoryName,
        key: Callable[[Tag], str],
        *,
        containing: str,
        after: Tag | None,
        limit: int,
        reverse: bool,
    ) -> Sequence[TagRow]:
        """Return tags with a text in their names in the order of a key, which differs for each, after `after`."""

        def read(connection: apsw.Connection) -> Sequence[TagRow]:
            connection.execute("BEGIN")  # so that no tag goes between the two reads
            found = connection.execute(_NAMES, (repository, containing)).fetchall()
            names = sorted((Tag(str(name)) for (name,) in found), key=key, reverse=reverse)
            start = 0 if after is None else _start(names, after, key, reverse=reverse)
            page = names[start : start + limit]
            rows = connection.execute(_NAMED, (repository, msgspec.json.encode(page).decode())).fetchall()
            by_name = {row[0]: _tag(row) for row in rows}
            return [by_name[name] for name in page]

        return await self._database.in_thread(read)

    async def record_pulls(self, pulls: Sequence[Pull], *, apart: float) -> None:
        """Record the last pulls of tags."""

        def record_pulls(connection: apsw.Connection) -> None:
            for pull in pulls:
                sql = _DIGEST_PULLED if isinstance(pull.reference, Digest) else _PULLED
                connection.execute(sql, (pull.when, pull.repository, str(pull.reference), apart))

        await self._database.write(record_pulls, durable=False)

    async def owners(self, repository: RepositoryName, digests: Sequence[Digest]) -> Mapping[Digest, bool]:
        """Return those of these manifests that the repository holds, and whether another one keeps each."""
        found = await self._database.in_thread(lambda connection: _owners(connection, repository, digests))
        return {digest: kept for digest, kept, _tagged in found}

    async def retire_tags(
        self, repository: RepositoryName, tags: Sequence[TagRow], *, actor: Actor, owners: Mapping[Tag, Digest]
    ) -> Sequence[Tag]:
        """Remove those of these tags that are still as they were read, unless what they belong to is kept."""

        def retire(connection: apsw.Connection) -> Sequence[Tag]:
            now, retired = self._clock.now(), []
            for each in tags:
                found = connection.execute(_FIND, (repository, each.tag)).fetchall()
                belongs = _owners(connection, repository, [owners[each.tag]]) if each.tag in owners else ()
                if found and _tag(found[0]) == each and not any(kept or tagged for _, kept, tagged in belongs):
                    drop_tag(connection, repository, each.tag, each.digest, now, actor=actor)
                    retired.append(each.tag)
            return retired

        return await self._database.write(retire)

    async def retention_runs(self) -> Mapping[str, float]:
        """Return when each Retention ran."""
        return {str(name): float(ran or 0) for name, ran in self._database.rows(_RUNS)}

    async def keep_retention_runs(self, runs: Mapping[str, float]) -> None:
        """Replace what `retention_runs` returns."""

        def keep(connection: apsw.Connection) -> None:
            connection.execute(_FORGET_RUNS)
            connection.executemany(_KEEP_RUN, list(runs.items()))

        await self._database.write(keep)


def _owners(
    connection: apsw.Connection, repository: str, digests: Sequence[Digest]
) -> Sequence[tuple[Digest, bool, bool]]:
    """Return held manifests, whether another one keeps each, and whether it has a tag."""
    listed = msgspec.json.encode([str(digest) for digest in digests]).decode()
    rows = connection.execute(_OWNERS, (repository, listed)).fetchall()
    return [(parse_digest(str(digest)), bool(kept), bool(tagged)) for digest, kept, tagged in rows]


def _start(names: Sequence[Tag], after: Tag, key: Callable[[Tag], str], *, reverse: bool) -> int:
    """Return the index of the first name after one, which need not be among them."""
    last = key(after)
    for at, name in enumerate(names):
        if (key(name) < last) if reverse else (key(name) > last):
            return at
    return len(names)


def _tag(row: Row) -> TagRow:
    tag, digest, pushed, pulled = row
    return TagRow(
        Tag(str(tag)), parse_digest(str(digest)), float(pushed or 0), None if pulled is None else float(pulled)
    )
