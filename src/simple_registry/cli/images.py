"""What a word on the command line names: `REPOSITORY`, `REPOSITORY:TAG` or `REPOSITORY@DIGEST`."""

from simple_registry.cli.options import UsageError
from simple_registry.oci.digests import parse_digest
from simple_registry.oci.errors import RegistryError
from simple_registry.oci.names import Reference, RepositoryName, Tag, parse_repository_name, parse_tag


def parse_image(word: str) -> tuple[RepositoryName, Reference | None]:
    """Return the repository, and the tag or digest, that a word names.

    Raises: UsageError.
    """
    name, at, digest = word.partition("@")
    name, colon, tag = name.partition(":")
    try:
        if at and colon:
            raise UsageError(f"{word!r} names a tag and a digest; leave one out")
        reference: Reference | None = parse_digest(digest) if at else parse_tag(tag) if colon else None
        return parse_repository_name(name), reference
    except RegistryError:
        raise UsageError(f"{word!r} is not REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST") from None


def parse_tagged(word: str) -> tuple[RepositoryName, Tag]:
    """Return the repository and the tag that a word names.

    Raises: UsageError.
    """
    repository, reference = parse_image(word)
    if not isinstance(reference, str):
        raise UsageError(f"{word!r} is not REPOSITORY:TAG")
    return repository, reference
