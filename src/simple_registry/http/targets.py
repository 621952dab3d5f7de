"""The targets of requests: what a path names, as typed values, and the scope in which the policy looks for it."""

import re
from dataclasses import dataclass
from typing import TypeVar

from simple_registry.access.permission import CATALOG_SCOPE, scope_of
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import ManifestUnknown, TagInvalid
from simple_registry.oci.names import Reference, RepositoryName, Tag, parse_reference, parse_repository_name, parse_tag


@dataclass(frozen=True, slots=True)
class NoTarget:
    """Nothing: the endpoint is about the registry."""


@dataclass(frozen=True, slots=True)
class RepositoryTarget:
    """A repository."""

    repository: RepositoryName


@dataclass(frozen=True, slots=True)
class DigestTarget:
    """Content in a repository."""

    repository: RepositoryName
    digest: Digest


@dataclass(frozen=True, slots=True)
class ManifestTarget:
    """A manifest in a repository."""

    repository: RepositoryName
    reference: Reference


@dataclass(frozen=True, slots=True)
class TagTarget:
    """A tag in a repository."""

    repository: RepositoryName
    tag: Tag


@dataclass(frozen=True, slots=True)
class SessionTarget:
    """An upload session of a repository."""

    repository: RepositoryName
    session: str


@dataclass(frozen=True, slots=True)
class IssuedTokenTarget:
    """An issued token."""

    token_id: str


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """An upload session, whatever its repository."""

    session: str


@dataclass(frozen=True, slots=True)
class AssetTarget:
    """A file that web pages use."""

    name: str


AnyTarget = (
    NoTarget
    | RepositoryTarget
    | DigestTarget
    | ManifestTarget
    | TagTarget
    | SessionTarget
    | IssuedTokenTarget
    | UploadTarget
    | AssetTarget
)
Target = TypeVar("Target", bound=AnyTarget)


def scope_of_target(target: AnyTarget) -> str:
    """Return the scope string of the permission that an endpoint needs for a target."""
    match target:
        case NoTarget() | IssuedTokenTarget() | UploadTarget() | AssetTarget():
            return CATALOG_SCOPE
        case ManifestTarget(repository, reference):
            return scope_of(repository, reference)
        case TagTarget(repository, tag):
            return scope_of(repository, tag)
        case _:
            return scope_of(target.repository)


# Parsers of targets: from the method of a request, and the groups of its route's pattern.


def no_target(_method: str, _match: re.Match[str]) -> NoTarget:
    """Return the target of a path that names nothing."""
    return NoTarget()


def repository_target(_method: str, match: re.Match[str]) -> RepositoryTarget:
    """Return a repository. Raises: NameInvalid."""
    return RepositoryTarget(parse_repository_name(match["name"]))


def digest_target(_method: str, match: re.Match[str]) -> DigestTarget:
    """Return content in a repository. Raises: NameInvalid, DigestInvalid."""
    return DigestTarget(parse_repository_name(match["name"]), parse_digest(match["digest"]))


def session_target(_method: str, match: re.Match[str]) -> SessionTarget:
    """Return an upload session. Raises: NameInvalid."""
    return SessionTarget(parse_repository_name(match["name"]), match["session"])


def tag_target(_method: str, match: re.Match[str]) -> TagTarget:
    """Return a tag. One that breaks the grammar cannot exist.

    Raises: NameInvalid, ManifestUnknown.
    """
    repository = parse_repository_name(match["name"])
    try:
        return TagTarget(repository, parse_tag(match["tag"]))
    except TagInvalid:
        raise ManifestUnknown(reference=match["tag"][:160]) from None


def issued_token_target(_method: str, match: re.Match[str]) -> IssuedTokenTarget:
    """Return an issued token; whether it exists is not known here."""
    return IssuedTokenTarget(match["token"])


def upload_target(_method: str, match: re.Match[str]) -> UploadTarget:
    """Return an upload session; whether it exists is not known here."""
    return UploadTarget(match["session"])


def asset_target(_method: str, match: re.Match[str]) -> AssetTarget:
    """Return a file that web pages use; whether it exists is not known here."""
    return AssetTarget(match["asset"])


def manifest_target(method: str, match: re.Match[str]) -> ManifestTarget:
    """Return a manifest. A tag that breaks the grammar cannot exist, so it is unknown unless it is pushed.

    Raises: NameInvalid, DigestInvalid, TagInvalid, ManifestUnknown.
    """
    repository = parse_repository_name(match["name"])
    try:
        return ManifestTarget(repository, parse_reference(match["reference"]))
    except TagInvalid:
        if method == "PUT":
            raise
        raise ManifestUnknown(reference=match["reference"][:160]) from None
