"""The users and groups that a document names: `subjects` of a `RoleBinding`, and their like in other kinds."""

from collections.abc import Mapping
from dataclasses import dataclass

from simple_registry.access.roles import User
from simple_registry.config.documents import Document
from simple_registry.config.shapes import NAME, Field, Fields, Text, Values, word
from simple_registry.config.values import nearest

SUBJECT = Fields(
    (
        Field("kind", word(("User", "Group")), "what `name` names", required=True),
        Field(
            "name",
            NAME,
            "a `User`, a user of a `TokenIssuer`, or any group",
            required=True,
        ),
        Field("apiGroup", Text(), "accepted, without effect"),
    )
)


@dataclass(frozen=True, slots=True)
class KnownUsers:
    """The users that documents may name: those of `User` documents, and those below the prefix of an issuer."""

    users: Mapping[str, User]
    prefixes: tuple[str, ...] = ()


def read_subjects(
    document: Document, field: str, subjects: tuple[Values, ...], known: KnownUsers
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the users and the groups that a field of a document names.

    Raises: ConfigError.
    """
    for number, subject in enumerate(subjects):
        if subject["kind"] == "User" and not (
            subject["name"] in known.users or subject["name"].startswith(known.prefixes)
        ):
            hint = nearest(subject["name"], tuple(known.users))
            raise document.error(f"names no User: {subject['name']!r}{hint}", field, number, "name")
    users, groups = (
        frozenset(subject["name"] for subject in subjects if subject["kind"] == kind) for kind in ("User", "Group")
    )
    return users, groups
