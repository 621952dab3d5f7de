"""The entries of the menu: the pages of no repository that a caller may open."""

from collections.abc import Sequence
from dataclasses import dataclass

from simple_registry.access.caller import Caller
from simple_registry.access.permission import CATALOG_SCOPE, Permission, Resource
from simple_registry.access.policy import Allowed, decide
from simple_registry.access.rules import AccessRules
from simple_registry.ui.links import HOME, page_url


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the menu, and what it needs; `key` is that of its words in `texts`."""

    key: str
    url: str
    permission: Permission | None = None
    for_administrators: bool = False


ENTRIES: Sequence[Entry] = (
    Entry("menu.repositories", HOME),
    Entry("menu.tokens", page_url("tokens")),
    Entry("menu.events", page_url("events"), Permission("history", Resource.CATALOG, CATALOG_SCOPE)),
    Entry("menu.uploads", page_url("uploads"), for_administrators=True),
    Entry("menu.storage", page_url("storage"), for_administrators=True),
    Entry("menu.collection", page_url("collection"), Permission("GET", Resource.MAINTENANCE, CATALOG_SCOPE)),
    Entry("menu.retention", page_url("retention"), Permission("GET", Resource.MAINTENANCE, CATALOG_SCOPE)),
    Entry("menu.policy", page_url("policy"), for_administrators=True),
    Entry("menu.health", page_url("health"), for_administrators=True),
)


def entries_for(caller: Caller | None, rules: AccessRules) -> Sequence[Entry]:
    """Return the entries for a signed-in caller; `None` is any other caller, without a menu."""
    return [] if caller is None else [entry for entry in ENTRIES if _is_open(entry, caller, rules)]


def is_administrator(caller: Caller, rules: AccessRules) -> bool:
    """Return whether one binding gives the caller every permission, and its credentials have no limits."""
    return not caller.limits and rules.policy.allows_everything(caller.identity)


def _is_open(entry: Entry, caller: Caller, rules: AccessRules) -> bool:
    if entry.permission is not None:
        return isinstance(decide(rules.policy, caller, entry.permission), Allowed)
    return not entry.for_administrators or is_administrator(caller, rules)
