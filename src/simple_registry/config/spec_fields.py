"""What the readers of several kinds of documents share: required fields, lists of texts, roles, patterns, paths."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from simple_registry.access.roles import Role
from simple_registry.access.scopes import PatternInvalid, ScopePattern
from simple_registry.config.documents import Document, Entry, nearest
from simple_registry.config.values import ConfigError


def fields_of(document: Document, known: Sequence[str], required: Sequence[str] = ()) -> Mapping[str, Entry]:
    """Return the fields of a document's `spec`, of which some must be there."""
    found = document.spec.fields(known) if document.spec is not None else {}
    for name in required:
        if name not in found:
            raise ConfigError(f"{document.place}: the {document.kind} {document.name!r} needs spec.{name}")
    return found


def texts_of(entry: Entry) -> Sequence[str]:
    """Return the texts of a list that holds at least one."""
    texts = [item.text() for item in entry.items()]
    if not texts:
        raise entry.error("is empty; name at least one")
    return texts


def role_of(entry: Entry, roles: Mapping[str, Role]) -> Role:
    """Return the role that a `roleRef` names."""
    fields = entry.fields(("name", "kind", "apiGroup"))
    if "name" not in fields:
        raise entry.error("needs the name of a Role")
    name = fields["name"].text()
    if name not in roles:
        raise fields["name"].error(f"names no Role: {name!r}{nearest(name, tuple(roles))}")
    return roles[name]


def pattern_of(entry: Entry) -> ScopePattern:
    """Return the pattern that an entry spells."""
    try:
        return ScopePattern(entry.text())
    except PatternInvalid as error:
        raise entry.error(f"is not a valid pattern: {error}") from None


def relative_to(document: Document, path: str) -> Path:
    """Return a path that a document names; a relative one is relative to the document's file."""
    return document.place.file.parent / path
