"""Two policies compared: which rights each subject gains and loses over some scopes.

A right is a verb on a resource. Users are compared with all that they have, groups with what they have by themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from simple_registry.access.caller import Identity
from simple_registry.access.permission import CATALOG_SCOPE, OF_REGISTRY, Resource
from simple_registry.access.policy import BindingPolicy
from simple_registry.access.roles import METHODS, PUSH, READ, RUN, UNDO, VERBS
from simple_registry.access.rules import Declared
from simple_registry.access.samples import sample_scopes

Right = tuple[str, Resource]
Rights = frozenset[Right]

_MEANINGFUL = {
    **dict.fromkeys(Resource, ("GET",)),
    Resource.CATALOG: ("GET", "history"),
    Resource.MAINTENANCE: ("GET", RUN),
    Resource.BLOBS: METHODS,
    Resource.MANIFESTS: ("GET", "HEAD", "PUT", "DELETE", *UNDO),
}
_WORDS = (("pull", READ), ("push", PUSH), ("delete", frozenset({"DELETE"})))


@dataclass(frozen=True, slots=True)
class Change:
    """Rights that a subject gains (or loses) within some scopes; an empty scope is the registry."""

    gained: bool
    rights: Rights
    scopes: Sequence[str]


@dataclass(frozen=True, slots=True)
class SubjectChanges:
    """What changes for a `User` or `Group`."""

    kind: str
    name: str
    changes: Sequence[Change]


def compare(old: Declared, new: Declared, scopes: Iterable[str]) -> Sequence[SubjectChanges]:
    """Return what changes, for users and then groups, by name; those without a change are left out."""
    asked = sorted({CATALOG_SCOPE, *scopes})
    before, after = BindingPolicy(old.bindings), BindingPolicy(new.bindings)

    def changes(kind: str, name: str, was: Identity | None, becomes: Identity | None) -> SubjectChanges:
        rights = (_rights(before, was, asked), _rights(after, becomes, asked))
        return SubjectChanges(kind, name, _changes(*rights))

    users = sorted({*_users(old), *_users(new)})
    groups = sorted({group for each in (*old.bindings, *new.bindings) for group in each.groups})
    found = [changes("User", name, _identity(old, name), _identity(new, name)) for name in users]
    members = [(name, Identity("", frozenset({name}))) for name in groups]
    found += [changes("Group", name, member, member) for name, member in members]
    return [each for each in found if each.changes]


def example_scopes(*declared: Declared) -> Sequence[str]:
    """Return repositories, with tags and without, that the patterns of bindings are about."""
    patterns = {pattern for each in declared for binding in each.bindings for pattern in binding.bound.scopes}
    scopes = {scope for pattern in patterns for scope in sample_scopes(pattern)}
    repositories = {scope.partition(":")[0] for scope in scopes}
    return sorted(scopes | repositories | {f"{repository}:latest" for repository in repositories})


def words(rights: Rights) -> str:
    """Return rights in words: `pull blobs manifests, PUT manifests`."""
    by_resource = {resource: frozenset(verb for verb, of in rights if of is resource) for resource in Resource}
    by_verbs: dict[str, list[str]] = {}
    for resource, verbs in by_resource.items():
        if verbs:
            by_verbs.setdefault(_verb_words(resource, verbs), []).append(resource)
    return "; ".join(f"{verbs} {' '.join(resources)}" for verbs, resources in by_verbs.items())


def _verb_words(resource: Resource, verbs: frozenset[str]) -> str:
    found = []
    for word, methods in _WORDS:
        meant = methods & frozenset(_MEANINGFUL[resource])
        if meant and meant <= verbs:
            found.append(word)
            verbs -= meant
    return " ".join([*found, *sorted(verbs)])


def _users(declared: Declared) -> Iterable[str]:
    """Return the users that documents name, and those that come from outside and bindings name."""
    return {*declared.users, *(user for binding in declared.bindings for user in binding.users)}


def _identity(declared: Declared, name: str) -> Identity | None:
    user = declared.users.get(name)
    if user is not None:
        return Identity(name, user.groups)
    return Identity(name) if name in _users(declared) else None


def _rights(policy: BindingPolicy, identity: Identity | None, scopes: Sequence[str]) -> Mapping[str, Rights]:
    """Return what an identity may do in each scope, binding by binding: far fewer searches than decisions."""
    bindings = list(policy.bindings_of(identity)) if identity else []
    covered = [
        frozenset((verb, resource) for resource in Resource for verb in VERBS if bound.role.covers(verb, resource))
        for bound in bindings
    ]
    found: dict[str, Rights] = {}
    for scope in scopes:
        rights: frozenset[Right] = frozenset()
        for bound, given in zip(bindings, covered, strict=True):
            if not given <= rights and bound.reaches(scope):
                rights |= given
        found[scope] = frozenset(right for right in rights if _has_meaning(right, scope))
    return found


def _has_meaning(right: Right, scope: str) -> bool:
    """Return whether any request needs a right there: the catalog is in no repository, a tag only among manifests."""
    verb, resource = right
    if verb not in _MEANINGFUL[resource] or (resource in OF_REGISTRY) != (scope == CATALOG_SCOPE):
        return False
    return ":" not in scope or resource is Resource.MANIFESTS


def _changes(old: Mapping[str, Rights], new: Mapping[str, Rights]) -> Sequence[Change]:
    nothing: Rights = frozenset()
    by_rights: dict[tuple[bool, Rights], list[str]] = {}
    for scope in sorted({*old, *new}):
        before, after = old.get(scope, nothing), new.get(scope, nothing)
        for gained, rights in ((True, after - before), (False, before - after)):
            if rights:
                by_rights.setdefault((gained, rights), []).append(scope)
    return [
        Change(gained, rights, tuple(scopes))
        for (gained, rights), scopes in sorted(by_rights.items(), key=lambda item: (not item[0][0], item[1]))
    ]
