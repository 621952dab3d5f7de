"""What repositories and identities use: counters, which triggers of the schema keep."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import apsw
import msgspec

from simple_registry.oci.names import RepositoryName
from simple_registry.storage.life import ContentState
from simple_registry.storage.quotas import (
    Account,
    Allowance,
    Amounts,
    Measure,
    OfIdentity,
    OfRepositories,
    OfRepository,
    OverQuota,
    exceeded,
)
from simple_registry.storage.records import TotalUsage, Usage
from simple_registry.storage.sqlite.engine.database import Database, Row

MAX_ACCOUNTS = 100
"""Accounts of several repositories whose members are cached: more than quotas, unless these change all the time."""

_COLUMNS = "tags, manifests, blobs, bytes, unneeded_bytes, deleted_bytes"
_FIND = f"SELECT {_COLUMNS} FROM usage WHERE repository = ?"
_PAGE = f"SELECT repository, {_COLUMNS} FROM usage WHERE repository > ? ORDER BY repository LIMIT ?"
_LARGEST = f"SELECT repository, {_COLUMNS} FROM usage ORDER BY bytes DESC, repository LIMIT ?"
_TOTAL = """
SELECT count(*), total(tags), total(manifests), total(blobs), total(bytes), total(unneeded_bytes), total(deleted_bytes)
FROM usage
"""
_BY_STATE = "SELECT state, contents, bytes FROM usage_by_state"
_OF_REPOSITORY = "SELECT bytes, tags, manifests FROM usage WHERE repository = ?"
_OF_IDENTITY = "SELECT bytes, 0, manifests FROM usage_by_identity WHERE identity = ?"
_OF_REPOSITORIES = """
SELECT total(bytes), total(tags), total(manifests) FROM usage WHERE id IN (SELECT value FROM json_each(?))
"""
_LATER = "SELECT id, repository FROM usage WHERE id > ? ORDER BY id"
_REPOSITORIES_ABOVE = """
SELECT repository FROM usage WHERE bytes >= ? OR tags >= ? OR manifests >= ? ORDER BY repository
"""
_IDENTITIES_ABOVE = "SELECT identity FROM usage_by_identity WHERE bytes >= ? OR manifests >= ? ORDER BY identity"
_NEVER = 2**63 - 1

_T = TypeVar("_T")
_Query = Callable[[str, tuple[str | int, ...]], Iterable[Row]]


class Accounts:
    """What accounts use, as rows say it at that moment."""

    def __init__(self) -> None:
        self._members: dict[OfRepositories, tuple[int, Sequence[int]]] = {}

    def prepare(self, database: Database, allowances: Sequence[Allowance]) -> None:
        """Note which repositories belong to accounts, so that a transaction has to match only newer names."""
        for allowance in allowances:
            if isinstance(allowance.account, OfRepositories):
                if len(self._members) >= MAX_ACCOUNTS:
                    self._members = {}
                # Committed rows only: the id of one that is rolled back will be that of another repository.
                members = self._find_members(lambda sql, bindings: database.rows(sql, *bindings), allowance.account)
                self._members[allowance.account] = members

    def amounts(self, query: _Query, account: Account) -> Amounts:
        """Return what an account uses."""
        match account:
            case OfRepository(repository):
                rows = list(query(_OF_REPOSITORY, (repository,)))
            case OfIdentity(identity):
                rows = list(query(_OF_IDENTITY, (identity,)))
            case _:
                _last, ids = self._find_members(query, account)
                rows = list(query(_OF_REPOSITORIES, (msgspec.json.encode(ids).decode(),)))
        return {
            measure: int(value or 0) for measure, value in zip(Measure, rows[0] if rows else (0, 0, 0), strict=True)
        }

    def within(
        self, connection: apsw.Connection, allowances: Sequence[Allowance], change: Callable[[], _T]
    ) -> _T | OverQuota:
        """Return the result of `change`, or undo it if it exceeds an allowance. Runs in its caller's transaction."""
        if not allowances:
            return change()
        before = [self.amounts(connection.execute, each.account) for each in allowances]
        connection.execute("SAVEPOINT quota")
        outcome = change()
        refusal = None
        for each, used in zip(allowances, before, strict=True):
            refusal = refusal or exceeded(each, used, self.amounts(connection.execute, each.account))
        if refusal is not None:
            connection.execute("ROLLBACK TO quota")
        connection.execute("RELEASE quota")
        return outcome if refusal is None else refusal

    def _find_members(self, query: _Query, account: OfRepositories) -> tuple[int, Sequence[int]]:
        """Return the greatest id of a repository that was looked at, and the ids of those that match."""
        last, ids = self._members.get(account, (0, ()))
        later = [(int(number or 0), str(name)) for number, name in query(_LATER, (last,))]
        if not later:
            return last, ids
        return later[-1][0], [*ids, *(number for number, name in later if account.matches(name))]


class SqliteUsageRows:
    """The counters of usage."""

    def __init__(self, database: Database, accounts: Accounts) -> None:
        self._database = database
        self._accounts = accounts

    async def find_usage(self, repository: RepositoryName) -> Usage | None:
        """Return what a repository uses."""
        row = self._database.row(_FIND, repository)
        return None if row is None else _usage(row)

    async def page_usage(self, after: str | None, limit: int) -> Sequence[tuple[RepositoryName, Usage]]:
        """Return repositories and what they use, in ASCII order, after `after`."""
        rows = self._database.rows(_PAGE, after or "", limit)
        return [(RepositoryName(str(row[0])), _usage(row[1:])) for row in rows]

    async def largest_usage(self, limit: int) -> Sequence[tuple[RepositoryName, Usage]]:
        """Return the repositories that use most bytes, and what they use, the largest first."""
        rows = await self._database.in_thread(lambda connection: connection.execute(_LARGEST, (limit,)).fetchall())
        return [(RepositoryName(str(row[0])), _usage(row[1:])) for row in rows]

    async def total_usage(self) -> TotalUsage:
        """Return what all repositories use together."""

        def read(connection: apsw.Connection) -> TotalUsage:
            repositories, *counts = _numbers(connection.execute(_TOTAL).fetchall()[0])
            states = {ContentState(str(row[0])): _numbers(row[1:]) for row in connection.execute(_BY_STATE).fetchall()}
            condemned = states.pop(ContentState.CONDEMNED, [0, 0])
            return TotalUsage(
                repositories,
                Usage(*counts),
                contents=sum(number for number, _ in states.values()),
                content_bytes=sum(size for _, size in states.values()),
                condemned_bytes=condemned[1],
            )

        return await self._database.in_thread(read)

    async def amounts(self, account: Account) -> Amounts:
        """Return what an account uses."""
        return self._accounts.amounts(lambda sql, bindings: self._database.rows(sql, *bindings), account)

    async def repositories_above(self, amounts: Amounts) -> Sequence[RepositoryName]:
        """Return the repositories that use at least one of these amounts."""
        bounds = [amounts.get(measure, _NEVER) for measure in Measure]
        rows = await self._database.in_thread(
            lambda connection: connection.execute(_REPOSITORIES_ABOVE, bounds).fetchall()
        )
        return [RepositoryName(str(name)) for (name,) in rows]

    async def identities_above(self, amounts: Amounts) -> Sequence[str]:
        """Return the identities that use at least one of these amounts."""
        bounds = [amounts.get(measure, _NEVER) for measure in (Measure.BYTES, Measure.MANIFESTS)]
        rows = await self._database.in_thread(
            lambda connection: connection.execute(_IDENTITIES_ABOVE, bounds).fetchall()
        )
        return [str(name) for (name,) in rows]


def _usage(row: Row) -> Usage:
    return Usage(*_numbers(row))


def _numbers(row: Row) -> list[int]:
    return [int(value or 0) for value in row]
