"""Bugs of the collector and of what it meets; `faults.planted.bugs` names them."""

from contextlib import asynccontextmanager

from simple_registry.operations.collection import Collection
from simple_registry.operations.renewals import Renewals
from simple_registry.storage.life import CONTENTS, ContentEvent, ContentState
from simple_registry.storage.records import HoldingsEnded
from simple_registry.storage.sqlite.rows import garbage, holding, needs, reviews
from simple_registry.storage.sqlite.rows.garbage import SqliteGarbageRows
from simple_registry.storage.sqlite.rows.holding import release_content


def no_lease() -> None:
    """A HEAD finds content and gives it no new grace."""

    async def renew(*_what, **_how):
        return False

    Renewals.renew = renew


def no_grace() -> None:
    """The collector ends whatever is unneeded, however young."""
    end = SqliteGarbageRows.end_holdings

    async def end_all(self, _before, limit):
        return await end(self, float("inf"), limit)

    SqliteGarbageRows.end_holdings = end_all


def mark_without_referrers() -> None:
    """A review overlooks that a manifest refers to one that is kept."""
    reviews._KEPT = reviews._KEPT.replace("subject.state = 'needed'", "FALSE")


def mark_without_blobs_of_indexes() -> None:
    """Children of an index count as manifests, also those that are blobs: layers of a build cache."""
    needs._PARTS = f"{needs._PARTS} WHERE (SELECT media_type NOT LIKE '%index%' FROM manifests WHERE digest = value)"
    garbage._WAITS = garbage._WAITS.replace("AND (manifests", "AND media_type NOT LIKE '%index%' AND (manifests")


def sweep_without_recheck() -> None:
    """What was found before the reviews ends after them, whatever was asked for or pushed in between."""
    run, marked = Collection.run, []

    async def mark_and_run(self, before, *what, **how):
        found = ((table, self._rows._database.rows(due, before, -1)) for table, due in _DUE.items())
        marked.extend((table, row[:2]) for table, rows in found for row in rows)
        return await run(self, before, *what, **how)

    async def sweep(self, _before, _limit):
        rows = marked.copy()
        marked.clear()

        def end(connection):
            for table, row in rows:
                connection.execute(f"DELETE FROM {table} WHERE repository = ? AND digest = ?", row)
            release_content(connection, {digest for _, (_, digest) in rows})

        await self._database.write(end)
        return HoldingsEnded(len(rows))

    Collection.run, SqliteGarbageRows.end_holdings = mark_and_run, sweep


_DUE = {"manifests": garbage._ENDING_MANIFESTS, "repository_blobs": garbage._ENDING_BLOBS}


def parts_do_not_wait() -> None:
    """Parts end by their own grace, while the manifest that refers to them can be restored."""
    garbage._WAITS = "SELECT NULL, NULL WHERE ?1 <> ?2 AND ?3 <> ''"


def many_collectors() -> None:
    """Removals of content do not wait for each other."""

    @asynccontextmanager
    async def at_once(_self, **_how):
        yield

    SqliteGarbageRows.collecting = at_once


def condemned_content_revives() -> None:
    """A push takes content that is being removed for content that is there."""
    state, placed = ContentState.CONDEMNED, {ContentEvent.PLACED: ContentState.WHOLE}
    holding.CONTENTS = {**CONTENTS, state: {**CONTENTS[state], **placed}}


def dead_collectors_leave() -> None:
    """A collector removes only what it condemned itself."""
    end, page = SqliteGarbageRows.end_holdings, SqliteGarbageRows.page_condemned
    left = set()

    async def end_and_look(self, *what):
        if not left:
            left.update(record.digest for record in await page(self, None, 10_000))
        return await end(self, *what)

    async def page_own(self, *what):
        return [record for record in await page(self, *what) if record.digest not in left]

    SqliteGarbageRows.end_holdings, SqliteGarbageRows.page_condemned = end_and_look, page_own


def idle_collector() -> None:
    """Nothing ends."""

    async def end_nothing(*_what):
        return HoldingsEnded()

    SqliteGarbageRows.end_holdings = end_nothing


COLLECTORS = (
    no_lease,
    no_grace,
    mark_without_referrers,
    mark_without_blobs_of_indexes,
    sweep_without_recheck,
    parts_do_not_wait,
    many_collectors,
    condemned_content_revives,
    dead_collectors_leave,
    idle_collector,
)
