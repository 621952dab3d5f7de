"""Quotas, as the operations apply them to the push of a caller."""

from collections.abc import Iterable, Sequence

from simple_registry.access.caller import Identity
from simple_registry.access.quotas import Per, Quota
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.quotas import Account, Allowance, Measure, OfIdentity, OfRepositories, OfRepository


def allowances_of(quotas: Iterable[Quota], identity: Identity, repository: RepositoryName) -> Sequence[Allowance]:
    """Return what quotas allow a caller to push to a repository."""
    return tuple(
        Allowance(
            quota.name,
            _account(quota, identity, repository),
            {Measure(word): limit for word, limit in quota.limits.items()},
            quota.warn_at,
        )
        for quota in quotas
        if quota.applies(identity, repository)
    )


def account_of_all(quota: Quota) -> Account:
    """Return the account of all repositories within the scopes of a quota."""
    return OfRepositories(tuple(pattern.text for pattern in quota.scopes), quota.reaches)


def _account(quota: Quota, identity: Identity, repository: RepositoryName) -> Account:
    match quota.per:
        case Per.REPOSITORY:
            return OfRepository(repository)
        case Per.ALL:
            return account_of_all(quota)
        case Per.USER:
            return OfIdentity(identity.name)
