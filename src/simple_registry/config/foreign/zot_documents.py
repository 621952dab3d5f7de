"""Documents that give what zot's `accessControl` gives.

| zot | documents |
|---|---|
| `read`, `create`, `delete` | a binding of `pull`, `push`, `delete`, in the repositories where the pattern counts |
| `create` without `update` | `push`, and a TagProtection that keeps tags from being moved, but by those with `update` |
| `update` without `create` | a remark: there is no counterpart |
"""

from collections.abc import Iterator, Sequence

from simple_registry.config.foreign.languages import EVERYTHING, NOTHING, pattern
from simple_registry.config.foreign.translation import ANONYMOUS, OF_REGISTRY, Made, Subject, binding, role, subjects_of
from simple_registry.config.foreign.zot_access import (
    CREATE,
    DELETE,
    EVERY_USER,
    READ,
    UPDATE,
    AccessControl,
    Grant,
    Reach,
    Rule,
)

_VERBS = {READ: "pull", CREATE: "push", DELETE: "delete"}
_REST = Rule("", EVERYTHING)
"""The repositories that no pattern matches."""


def access_documents(access: AccessControl) -> Iterator[Made]:
    """Yield the roles, bindings and protections of what `accessControl` gives."""
    bindings = [*_bindings(access)]
    for verbs in dict.fromkeys(verbs for verbs, _ in bindings):
        yield role(_name(verbs), ["blobs", "manifests"], verbs)
    yield from (made for _, made in bindings)
    yield from _of_registry(access)
    yield from _protections(access)


def remarks_on(access: AccessControl) -> Iterator[str]:
    """Yield what of `accessControl` could not be given, or was not clear."""
    for one, other in access.ties():
        yield (
            f"the patterns {one.pattern!r} and {other.pattern!r} are equally long and match the same repositories; zot "
            "takes either of them, differently at each request: given is what both give"
        )
    for rule in access.rules:
        for grant in rule.grants:
            if access.reach(rule, grant).names == NOTHING:
                yield f"{grant.label}: it counts for no repository, because longer patterns match all of them"
            if UPDATE in grant.actions and not all(rule.gives(CREATE, subject) for subject in grant.subjects):
                yield f"{grant.label}: update without create has no counterpart, and is not given"
            for name in _misspelt(grant, access):
                yield (
                    f"{grant.label}: zot reads the group {name!r} as {name.lower()!r} where its users are listed, so "
                    "that they are not in the group of this policy; correct its name there and here if they should be"
                )


def _misspelt(grant: Grant, access: AccessControl) -> list[str]:
    names = [subject.name for subject in grant.subjects if subject != EVERY_USER]
    return [name for name in names if name not in access.groups and name.lower() in access.groups]


def _bindings(access: AccessControl) -> Iterator[tuple[tuple[str, ...], Made]]:
    """Yield the verbs of each binding, and the binding."""
    for rule in access.rules:
        for grant in rule.grants:
            verbs, reach = _verbs(grant), access.reach(rule, grant)
            if verbs and reach.names != NOTHING:
                comments = (grant.comment, *_left_out(reach))
                yield verbs, binding(grant.label, _name(verbs), pattern(reach.names), grant.subjects, comments)
    admin, verbs = access.admin, _verbs(access.admin)
    if verbs and admin.subjects:
        yield verbs, binding(admin.label, _name(verbs), pattern(EVERYTHING), admin.subjects, (admin.comment,))


def _left_out(reach: Reach) -> tuple[str, ...]:
    return (f"without what these match: {'  '.join(reach.without)}",) if reach.without else ()


def _verbs(grant: Grant) -> tuple[str, ...]:
    return tuple(verb for action, verb in _VERBS.items() if action in grant.actions)


def _name(verbs: Sequence[str]) -> str:
    return "-".join(verbs)


def _of_registry(access: AccessControl) -> Iterator[Made]:
    """Yield what gives the catalog, to every caller, and the metrics."""
    callers = (*([EVERY_USER] if access.authenticates else []), *([ANONYMOUS] if access.is_open else []))
    catalog = Grant("catalog", frozenset({READ}), callers, "it lists what its reader may pull, as there")
    for grant in (catalog, access.metrics):
        if grant.subjects:
            yield role(grant.label, [grant.label], ["pull"])
            yield binding(grant.label, grant.label, OF_REGISTRY, grant.subjects, (grant.comment,))


def _protections(access: AccessControl) -> Iterator[Made]:
    rest = [] if any(not rule.pattern for rule in access.rules) else [_REST]
    for rule in (*access.rules, *rest):
        grants = (*rule.grants, access.admin)
        creators, updaters = (_with(grants, action) for action in (CREATE, UPDATE))
        if all(_is_among(subject, updaters) for subject in creators):
            continue
        cell = access.cell(rule)
        if cell.names != NOTHING:
            spec: dict[str, object] = {"scopes": [pattern(cell.names)], "immutable": True, "deletable": True}
            if updaters:
                spec["except"] = subjects_of(updaters)
            label = f"{rule.pattern or 'no pattern'}: only update moves tags"
            yield Made("TagProtection", label, spec, _left_out(cell))


def _with(grants: Sequence[Grant], action: str) -> list[Subject]:
    return list(dict.fromkeys(subject for each in grants if action in each.actions for subject in each.subjects))


def _is_among(subject: Subject, others: Sequence[Subject]) -> bool:
    return subject in others or (EVERY_USER in others and subject != ANONYMOUS)
