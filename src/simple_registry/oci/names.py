"""Repository names, tags and references, as the distribution specification's section "Pulling manifests" has them."""

import re
from typing import NewType

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import NameInvalid, TagInvalid

RepositoryName = NewType("RepositoryName", str)
"""A valid `<name>`, made only by `parse_repository_name` and by stores."""

Tag = NewType("Tag", str)
"""A valid `<reference>` that is a tag."""

Reference = Tag | Digest
"""What a manifest is addressed by."""

MAX_NAME_LENGTH = 255
"""Limit of `<name>`; the specification gives this number for host and name together."""

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)


def parse_repository_name(text: str) -> RepositoryName:
    """Return the repository name that `text` spells.

    Raises: NameInvalid.
    """
    if len(text) > MAX_NAME_LENGTH or _NAME.fullmatch(text) is None:
        raise NameInvalid(name=text[: MAX_NAME_LENGTH + 1])
    return RepositoryName(text)


def parse_tag(text: str) -> Tag:
    """Return the tag that `text` spells.

    Raises: TagInvalid.
    """
    if _TAG.fullmatch(text) is None:
        raise TagInvalid(tag=text[:160])
    return Tag(text)


def parse_reference(text: str) -> Reference:
    """Return the tag or digest that `text` spells; a colon makes it a digest, since no tag has one.

    Raises: DigestInvalid, TagInvalid.
    """
    return parse_digest(text) if ":" in text else parse_tag(text)
