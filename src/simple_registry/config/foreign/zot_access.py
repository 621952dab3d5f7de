"""What zot's `accessControl` gives, and how zot decides.

    repository ──► the longest pattern that matches ──► a policy of the user or a group, or the default policy;
                                                        without credentials, the anonymous policy
               ──► or else the admin policy

Only the longest pattern counts, so what a pattern gives ends where longer ones begin. Here bindings add up: the scope
of one leaves out what longer patterns match. Keys of the file are in lower case, as zot reads them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from simple_registry.config.administrator import parse_user_name
from simple_registry.config.foreign.globs import parse_glob
from simple_registry.config.foreign.languages import EVERYTHING, Expression, difference, overlap
from simple_registry.config.foreign.leaves import Leaves
from simple_registry.config.foreign.translation import ANONYMOUS, Subject
from simple_registry.config.values import ConfigError

CONTROL = ("http", "accesscontrol")
AUTHENTICATED = "authenticated"
"""The group of every user, for default policies."""

READ, CREATE, UPDATE, DELETE = "read", "create", "update", "delete"
ACTIONS = (READ, CREATE, UPDATE, DELETE)

_METRICS = ("extensions", "metrics")
_LOGINS = frozenset({"htpasswd", "ldap", "bearer", "openid", "apikey", "mtls"})
_CONDITIONS = (
    "conditions have no counterpart, so this policy is left out and gives nothing; write a RoleBinding for what it gave"
)


EVERY_USER = Subject("Group", AUTHENTICATED)


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions that some users and groups have; `label` names it in the file."""

    label: str
    actions: frozenset[str]
    subjects: tuple[Subject, ...]
    comment: str = ""

    def gives(self, action: str, subject: Subject) -> bool:
        """Return whether this gives an action to a user or group, by name."""
        return action in self.actions and subject in self.subjects


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern of repositories, what it matches, and what it gives there."""

    pattern: str
    names: Expression
    grants: tuple[Grant, ...] = ()

    def gives(self, action: str, subject: Subject) -> bool:
        """Return whether one of the grants gives an action to a user or group, by name."""
        return any(grant.gives(action, subject) for grant in self.grants)


@dataclass(frozen=True, slots=True)
class Reach:
    """The repositories where something counts, and the patterns whose repositories it leaves out."""

    names: Expression
    without: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccessControl:
    """Everything that zot's configuration says about access."""

    rules: Sequence[Rule]
    admin: Grant
    metrics: Grant
    groups: Mapping[str, Sequence[str]]
    users: Sequence[str]
    """All that are named."""
    authenticates: bool
    """Whether there are ways to log in."""

    @property
    def is_open(self) -> bool:
        """Whether anything is given to clients without credentials."""
        given = [*(grant for rule in self.rules for grant in rule.grants), self.metrics]
        return any(ANONYMOUS in grant.subjects for grant in given)

    def reach(self, rule: Rule, grant: Grant) -> Reach:
        """Return the repositories in which zot gives what a grant of a rule gives.

        These are not those that a longer pattern matches, unless that gives the same. Of two equally long ones, zot
        takes either: what both give counts. Moving tags is not part of bindings; see `cell`.
        """
        actions = grant.actions - {UPDATE}

        def takes_away(other: Rule) -> bool:
            return len(other.pattern.encode()) >= len(rule.pattern.encode()) and not all(
                other.gives(action, subject) for action in actions for subject in grant.subjects
            )

        return self._without(rule, takes_away)

    def cell(self, rule: Rule) -> Reach:
        """Return the repositories for which a rule can be the one that counts."""
        return self._without(rule, lambda other: len(other.pattern.encode()) > len(rule.pattern.encode()))

    def ties(self) -> Iterator[tuple[Rule, Rule]]:
        """Yield each two rules of which zot takes either for some repository."""
        for number, one in enumerate(self.rules):
            for other in self.rules[number + 1 :]:
                if len(one.pattern.encode()) == len(other.pattern.encode()) and overlap(one.names, other.names):
                    yield one, other

    def _without(self, rule: Rule, takes_away: Callable[[Rule], bool]) -> Reach:
        others = [
            other
            for other in self.rules
            if other is not rule and takes_away(other) and overlap(rule.names, other.names)
        ]
        names = difference(rule.names, [other.names for other in others])
        return Reach(names, tuple(other.pattern for other in others))


def read_access(leaves: Leaves) -> AccessControl:
    """Return what a configuration says about access, and note what was read of it.

    Raises: ConfigError for a pattern that cannot be translated exactly.
    """
    reader = _Reader(leaves)
    if not leaves.below(*CONTROL):
        return reader.without_control()
    return AccessControl(
        rules=[reader.rule(pattern) for pattern in leaves.keys(*CONTROL, "repositories")],
        admin=reader.grant("admin policy", *CONTROL, "adminpolicy"),
        metrics=reader.metrics(),
        groups=reader.groups(),
        users=reader.users,
        authenticates=reader.authenticates,
    )


class _Reader:
    """Reads `accessControl`; `users` are those that it named so far."""

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves
        self.users: list[str] = []
        self.authenticates = not _LOGINS.isdisjoint(leaves.keys("http", "auth"))

    def rule(self, pattern: str) -> Rule:
        """Return the rule of a pattern."""
        path = (*CONTROL, "repositories", pattern)
        try:
            names = parse_glob(pattern) if pattern else EVERYTHING  # the empty one counts where no other does
        except ConfigError as error:
            raise error.at(self._leaves.below(*path)[0].place) from None
        policies = self._leaves.keys(*path, "policies")
        grants = [
            *(self.grant(f"{pattern}: policy {int(each) + 1}", *path, "policies", each) for each in policies),
            self._policy(f"{pattern}: default policy", EVERY_USER, *path, "defaultpolicy"),
            self._policy(f"{pattern}: anonymous policy", ANONYMOUS, *path, "anonymouspolicy"),
        ]
        return Rule(pattern, names, tuple(grant for grant in grants if grant.actions and grant.subjects))

    def grant(self, label: str, *path: str) -> Grant:
        """Return what a policy gives; nothing if it has conditions."""
        if self._leaves.texts(*path, "conditions"):
            self._leaves.remark(_CONDITIONS, *path)
            return Grant(label, frozenset(), ())
        users = [Subject("User", name) for name in self.names(*path, "users")]
        groups = [Subject("Group", name) for name in self._taken(label, *path, "groups")]
        if EVERY_USER in groups:
            raise self._reserved(*path, "groups")
        actions = self._actions(label, *path, "actions")
        return Grant(label, actions, (*users, *groups), self._origin(*path))

    def groups(self) -> dict[str, list[str]]:
        """Return the users of each group."""
        path = (*CONTROL, "groups")
        found = self._leaves.keys(*path)
        if AUTHENTICATED in found:
            raise self._reserved(*path, AUTHENTICATED)
        return {name: self.names(*path, name, "users") for name in found}

    def metrics(self) -> Grant:
        """Return what is given to read metrics."""
        path = (*CONTROL, "metrics")
        users = tuple(Subject("User", name) for name in self.names(*path, "users"))
        public = READ in self._taken("the role metrics", *path, "anonymouspolicy")
        return Grant("metrics", frozenset({READ}), (*users, *([ANONYMOUS] if public else [])), self._origin(*path))

    def without_control(self) -> AccessControl:
        """Return what holds without `accessControl`: every caller may do everything."""
        subjects = (EVERY_USER if self.authenticates else ANONYMOUS,)
        comment = "there is no accessControl"
        rule = Rule("**", EVERYTHING, (Grant("everything", frozenset(ACTIONS), subjects, comment),))
        metrics = Grant("metrics", frozenset({READ}), subjects if self._leaves.below(*_METRICS) else (), comment)
        return AccessControl([rule], Grant("admin policy", frozenset(), ()), metrics, {}, [], self.authenticates)

    def names(self, *path: str) -> list[str]:
        """Return the users of a list; those that cannot be users here get a remark."""
        found = []
        for leaf in self._leaves.below(*path):
            try:
                found.append(parse_user_name(leaf.text))
            except ConfigError as error:
                self._leaves.remarks[leaf] = f"left out: {error}"
            else:
                self._leaves.became[leaf] = f"the user {leaf.text}"
        self.users += (name for name in found if name not in self.users)
        return found

    def _reserved(self, *path: str) -> ConfigError:
        place = self._leaves.below(*path)[0].place
        return ConfigError(
            f"{place}: the group {AUTHENTICATED!r} is that of every user in the documents; rename it first"
        )

    def _policy(self, label: str, subject: Subject, *path: str) -> Grant:
        return Grant(label, self._actions(label, *path), (subject,), self._origin(*path))

    def _actions(self, label: str, *path: str) -> frozenset[str]:
        actions = set(self._taken(label, *path))
        for leaf in self._leaves.below(*path):
            if leaf.text and leaf.text not in ACTIONS:
                del self._leaves.became[leaf]
                self._leaves.remarks[leaf] = f"left out: {leaf.text!r} has no counterpart"
        return frozenset(actions.intersection(ACTIONS))

    def _taken(self, became: str, *path: str) -> list[str]:
        self._leaves.take(became, *path)
        return self._leaves.texts(*path)

    def _origin(self, *path: str) -> str:
        found = self._leaves.below(*path)
        return f"{'.'.join(found[0].path[: len(path)])} ({found[0].place})" if found else ""
