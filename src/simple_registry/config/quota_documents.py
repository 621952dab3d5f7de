"""`Quota` documents: their shape, and the quotas that they describe."""

import re

from simple_registry.access.quotas import Per, Quota
from simple_registry.config.documents import Document
from simple_registry.config.shapes import PATTERN, Field, Fields, Kind, ListOf, Text, word
from simple_registry.config.subjects import SUBJECT, KnownUsers, read_subjects
from simple_registry.config.values import ConfigError, format_size, parse_count, parse_size

DEFAULT_WARNING = "90%"

_SHARE = re.compile(r"([0-9]{1,3})%", re.ASCII)


def _share(text: str) -> float:
    match = _SHARE.fullmatch(text)
    share = int(match[1]) / 100 if match else 0.0
    if not 0 < share <= 1:
        raise ConfigError(f"{text!r} is not a share; write 1% to 100%")
    return share


_COUNT = Text("number", parse_count, number=True)
_LIMITS = Fields(
    (
        Field("bytes", Text("size", parse_size, format_size, number=True), "of blobs and manifests, such as `20GB`"),
        Field("tags", _COUNT, "without effect `per: user`"),
        Field("manifests", _COUNT, "each child of an index counts, too"),
    )
)
QUOTA = Kind(
    "Quota",
    "limits what may be used: a push that would exceed it is refused",
    Fields(
        (
            Field("limits", _LIMITS, "what may be used; at least one", required=True),
            Field(
                "per",
                word(Per),
                "what has these limits: each repository, all together, each user",
                default="`repository`",
            ),
            Field(
                "scopes",
                ListOf(PATTERN, hint="leave it out for every repository"),
                "repositories to which it limits pushes, searched in the name",
                default="every repository",
            ),
            Field(
                "subjects",
                ListOf(SUBJECT, hint="leave it out for every user"),
                "users and groups whose pushes it limits",
                default="every user",
            ),
            Field("warnAt", Text("share", _share), "when a warning is logged", default=f"`{DEFAULT_WARNING}`"),
        ),
    ),
)


def read_quota(document: Document, known: KnownUsers) -> Quota:
    """Return the quota that a document describes.

    Raises: ConfigError.
    """
    spec = QUOTA.read(document)
    if not spec["limits"]:
        raise document.error("is empty; write at least one of bytes, tags and manifests", "limits")
    users, groups = read_subjects(document, "subjects", spec.get("subjects", ()), known)
    return Quota(
        name=document.name,
        limits=spec["limits"],
        per=spec.get("per", Per.REPOSITORY),
        scopes=spec.get("scopes", ()),
        users=users,
        groups=groups,
        warn_at=spec.get("warnAt", _share(DEFAULT_WARNING)),
    )
