"""Quotas as stores apply them: an account, its limits, and whether a change exceeds them.

A store compares what an account uses before and after a change, in the transaction of the change, and undoes it if a
limit is exceeded. A change that adds nothing to an account is allowed, whatever the account uses.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from simple_registry.oci.names import RepositoryName


class Measure(StrEnum):
    """What a quota can limit."""

    BYTES = "bytes"
    TAGS = "tags"
    MANIFESTS = "manifests"


Amounts = Mapping[Measure, int]


@dataclass(frozen=True, slots=True)
class OfRepository:
    """What one repository uses."""

    repository: RepositoryName


@dataclass(frozen=True, slots=True)
class OfRepositories:
    """What all repositories use together whose names match; `key` identifies the predicate."""

    key: Hashable
    matches: Callable[[str], bool] = field(compare=False)


@dataclass(frozen=True, slots=True)
class OfIdentity:
    """What one identity pushed, in all repositories. Tags belong to no identity."""

    identity: str


Account = OfRepository | OfRepositories | OfIdentity


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a quota allows an account to use, and from which share of a limit on it warns."""

    quota: str
    account: Account
    limits: Amounts
    warn_at: float = 1.0


@dataclass(frozen=True, slots=True)
class OverQuota:
    """Nothing was changed: with `needs` more than the `used` amount, the account would exceed a limit."""

    quota: str
    measure: Measure
    limit: int
    used: int
    needs: int


def exceeded(allowance: Allowance, before: Amounts, after: Amounts) -> OverQuota | None:
    """Return which limit a change exceeds, if any."""
    for measure, limit in allowance.limits.items():
        needs = after[measure] - before[measure]
        if needs > 0 and after[measure] > limit:
            return OverQuota(allowance.quota, measure, limit, before[measure], needs)
    return None
