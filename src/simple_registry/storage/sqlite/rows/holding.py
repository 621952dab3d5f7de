"""Events of holdings and of content, as statements built from the tables of `storage.life`.

Each function runs in its caller's transaction. Holdings are rows of `repository_blobs` and `manifests`; the content
itself is a row of `contents`.
"""

from collections.abc import Iterable, Sequence

import apsw

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.storage.life import CONTENTS, HOLDINGS, ContentEvent, ContentState, HoldingEvent, HoldingState
from simple_registry.storage.records import ContentRecord, ContentRemoved, Holding, Place, StillNeeded
from simple_registry.storage.sqlite.engine.database import Row, Value

REMOVALS = "SELECT value FROM counters WHERE name = 'removals'"
_CONTENT = "SELECT digest, size, place, version, state FROM contents WHERE digest = ?"
ADD_REPOSITORY = "INSERT INTO repositories (name) VALUES (?) ON CONFLICT DO NOTHING"
_ADD = """
INSERT INTO contents (digest, size, place, state, version, stamp, verified) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_NEXT_VERSION = "UPDATE counters SET value = value + 1 WHERE name = 'placements' RETURNING value"
_PLACE = """
UPDATE contents SET size = ?2, place = ?3, state = ?4, version = ?5, stamp = ?6, verified = ?7 WHERE digest = ?1
"""
_ADD_BLOB = "INSERT INTO repository_blobs (repository, digest, state, since, owner) VALUES (?, ?, ?, ?, ?)"
_TAKE_OVER = """
UPDATE repository_blobs SET owner = ?3
WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2)) AND NOT counted AND owner <> ?3
"""
_BLOB_STATE = "SELECT state FROM repository_blobs WHERE repository = ? AND digest = ?"
_NEEDED = """
SELECT 1 FROM manifest_children AS part JOIN manifests USING (repository, digest)
WHERE part.repository = ? AND part.child = ? AND manifests.state = 'needed' LIMIT 1
"""
# An unneeded manifest is served, and may be needed again.
REFERRING = """
SELECT part.digest FROM manifest_children AS part JOIN manifests USING (repository, digest)
WHERE part.repository = ? AND part.child = ? AND manifests.state <> 'deleted' ORDER BY part.digest LIMIT 1
"""


def _transitions(pairs: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return the next state, as a SQL expression, and the states that allow the event, as a SQL list."""
    following = " ".join(f"WHEN '{state}' THEN '{after}'" for state, after in pairs)
    return f"CASE state {following} END", ", ".join(f"'{state}'" for state, _ in pairs)


def _event_statement(table: str, event: HoldingEvent) -> str:
    """Return the statement that applies an event to holdings of a repository whose state allows it.

    Its parameters are the repository, a JSON array of digests, and the time.
    """
    following, known = _transitions([(state, events[event]) for state, events in HOLDINGS.items() if event in events])
    once = "AND NOT extended" if event is HoldingEvent.SEEN else ""
    return f"""
    UPDATE {table} SET state = {following}, since = :now, extended = {int(event is HoldingEvent.SEEN)}
    WHERE repository = :repository AND digest IN (SELECT value FROM json_each(:digests)) AND state IN ({known}) {once}
    """


def _unheld() -> str:
    event = ContentEvent.UNHELD
    following, known = _transitions([(state, events[event]) for state, events in CONTENTS.items() if event in events])
    return f"""
    UPDATE contents SET state = {following} WHERE digest = ?1 AND state IN ({known})
    AND NOT EXISTS (SELECT 1 FROM repository_blobs WHERE digest = ?1)
    AND NOT EXISTS (SELECT 1 FROM manifests WHERE digest = ?1)
    """


_RELEASE = _unheld()
BLOB_STATEMENTS = {event: _event_statement("repository_blobs", event) for event in HoldingEvent}
MANIFEST_STATEMENTS = {event: _event_statement("manifests", event) for event in HoldingEvent}


def apply_event(connection: apsw.Connection, event: HoldingEvent, repository: str, digests: str, now: float) -> bool:
    """Apply an event to blobs of a repository; `digests` is a JSON array. Return whether any changed."""
    return _apply(connection, BLOB_STATEMENTS[event], repository, digests, now)


def apply_to_manifests(
    connection: apsw.Connection, event: HoldingEvent, repository: str, digests: str, now: float
) -> bool:
    """Apply an event to manifests of a repository, but not to their parts. Return whether any changed."""
    return _apply(connection, MANIFEST_STATEMENTS[event], repository, digests, now)


def _apply(connection: apsw.Connection, statement: str, repository: str, digests: str, now: float) -> bool:
    connection.execute(statement, {"repository": repository, "digests": digests, "now": now})
    return connection.changes() > 0


def take_over(connection: apsw.Connection, repository: str, digests: str, owner: str) -> None:
    """Make an identity the owner of blobs of a repository that do not count now; `digests` is a JSON array."""
    connection.execute(_TAKE_OVER, (repository, digests, owner))


def hold_blob(connection: apsw.Connection, repository: str, digest: Digest, now: float, owner: str) -> None:
    """Make the repository, created if absent, hold a blob after a push or a mount. Its content has a row."""
    connection.execute(ADD_REPOSITORY, (repository,))
    found = connection.execute(_BLOB_STATE, (repository, str(digest))).fetchall()
    if found:
        take_over(connection, repository, f'["{digest}"]', owner)
        apply_event(connection, HoldingEvent.NAMED, repository, f'["{digest}"]', now)
    else:
        state = HOLDINGS[HoldingState.ABSENT][HoldingEvent.NAMED]
        connection.execute(_ADD_BLOB, (repository, str(digest), state, now, owner))
    if is_needed(connection, repository, digest):
        apply_event(connection, HoldingEvent.KEPT, repository, f'["{digest}"]', now)


def is_needed(connection: apsw.Connection, repository: str, digest: Digest) -> bool:
    """Return whether a needed manifest of the repository refers to this content."""
    return bool(connection.execute(_NEEDED, (repository, str(digest))).fetchall())


def still_needed(connection: apsw.Connection, repository: str, digest: Digest) -> StillNeeded | None:
    """Return a manifest of the repository, not deleted, that refers to this content, if there is one."""
    rows = connection.execute(REFERRING, (repository, str(digest))).fetchall()
    return StillNeeded(parse_digest(str(rows[0][0]))) if rows else None


def find_content(connection: apsw.Connection, digest: Digest) -> tuple[ContentRecord | None, ContentState]:
    """Return the row of content, and its state."""
    rows = connection.execute(_CONTENT, (str(digest),)).fetchall()
    return (record_of(rows[0][:4]), ContentState(str(rows[0][4]))) if rows else (None, ContentState.ABSENT)


def require_content(
    connection: apsw.Connection, digest: Digest, removals: int, *, placed: bool
) -> ContentRemoved | None:
    """Return ContentRemoved unless content may be whole: its bytes were placed and still exist, or it is whole already.

    Placed bytes without a row may be gone after any removal: the collector removes by digest, whoever placed them.
    """
    _record, state = find_content(connection, digest)
    if not placed:
        return None if state is ContentState.WHOLE else ContentRemoved()
    if ContentEvent.PLACED not in CONTENTS[state]:
        return ContentRemoved()
    if state is ContentState.ABSENT and connection.execute(REMOVALS).fetchall()[0][0] != removals:
        return ContentRemoved()
    return None


def place_content(connection: apsw.Connection, content: ContentRecord, now: float) -> ContentRecord | None:
    """Write the row of placed content, after `require_content`. Return a second copy of its bytes, to be removed."""
    known, state = find_content(connection, content.digest)
    after = CONTENTS[state][ContentEvent.PLACED]
    if state is ContentState.WHOLE and known is not None and known.place != content.place:
        return content  # readers may have the other one open
    version = connection.execute(_NEXT_VERSION).fetchall()[0][0]
    row = (str(content.digest), content.size, content.place, after, version, content.stamp, now)
    connection.execute(_ADD if known is None else _PLACE, row)
    if known is None:
        return None
    return known if known.place != content.place else None


def refuse_content(connection: apsw.Connection, content: ContentRecord) -> None:
    """Add a row for content of a refused push, if it has none, so that the collector removes it."""
    _known, state = find_content(connection, content.digest)
    after = CONTENTS[state].get(ContentEvent.REFUSED)
    if after is not None:
        connection.execute(_ADD, (str(content.digest), content.size, content.place, after, 0, content.stamp, 0))


def release_content(connection: apsw.Connection, digests: Iterable[str]) -> None:
    """Condemn content that no repository holds any more."""
    connection.executemany(_RELEASE, [(digest,) for digest in digests])


def record_of(row: Row, stamp: Value = "") -> ContentRecord:
    """Return the record from a row of digest, size, place and version; for readers of its bytes, with the stamp."""
    digest, size, place, version = row
    return ContentRecord(parse_digest(str(digest)), int(size or 0), Place(str(place)), int(version or 0), str(stamp))


def holding_of(row: Row) -> Holding:
    """Return the holding from a row of state, since and extended."""
    state, since, extended = row
    return Holding(HoldingState(str(state)), float(since or 0), bool(extended))
