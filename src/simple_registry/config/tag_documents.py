"""Documents about tags: their shapes, and the `Retention` and `TagProtection` values that they describe."""

from simple_registry.access.retention import KeepRule, Order, Retention
from simple_registry.access.tag_protection import TagProtection
from simple_registry.access.versions import parse_range
from simple_registry.config.documents import Document
from simple_registry.config.shapes import BOOLEAN, PATTERN, Field, Fields, Kind, ListOf, Text, Values, word
from simple_registry.config.subjects import SUBJECT, KnownUsers, read_subjects
from simple_registry.config.values import parse_count
from simple_registry.times import format_duration, parse_duration, parse_interval

DEFAULT_INTERVAL = 24 * 3600.0
"""Seconds between two runs of a Retention."""

_DURATION = Text("duration", parse_duration, format_duration, number=True)
_SCOPES = Field(
    "scopes",
    ListOf(PATTERN, hint="write '^.*$' for every tag"),
    "searched in `repository:tag`; one is enough",
    required=True,
)
_KEEP = Fields(
    (
        Field(
            "newest",
            Text("number", parse_count, number=True),
            "the number of tags kept in each repository, of those that meet the other conditions",
        ),
        Field("by", word(Order), "what makes a tag new, for `newest`", default="`push`"),
        Field("pushedWithin", _DURATION, "pushed within this time"),
        Field("pulledWithin", _DURATION, "pulled within this time, or pushed"),
        Field("tags", ListOf(PATTERN), "searched in the tag; one is enough"),
        Field("semver", Text("range", parse_range), "a version in this range, such as `>=1.2 <3`"),
    )
)
RETENTION = Kind(
    "Retention",
    "removes the tags in its scopes that no rule keeps; manifests stay, until something else removes them",
    Fields(
        (
            _SCOPES,
            Field("keep", ListOf(_KEEP), "rules: a tag stays that meets all conditions of one", required=True),
            Field(
                "protect", ListOf(PATTERN, empty=True), "searched in the tag: such tags stay, uncounted", default="none"
            ),
            Field(
                "interval",
                Text("duration", parse_interval, format_duration, number=True),
                "time between two runs; `0s`: only by `simple-registry retention apply`",
                default=f"`{format_duration(DEFAULT_INTERVAL)}`",
            ),
        )
    ),
)
TAG_PROTECTION = Kind(
    "TagProtection",
    "keeps the tags in its scopes from being moved or deleted",
    Fields(
        (
            _SCOPES,
            Field("immutable", BOOLEAN, "whether such a tag always points at the same manifest", default="`true`"),
            Field("deletable", BOOLEAN, "whether such a tag, and its manifest, may be deleted", default="`false`"),
            Field("except", ListOf(SUBJECT, empty=True), "users and groups for whom it does not hold", default="none"),
        )
    ),
)


def read_retention(document: Document) -> Retention:
    """Return the Retention that a document describes.

    Raises: ConfigError.
    """
    spec = RETENTION.read(document)
    for number, rule in enumerate(spec["keep"]):
        if not rule.keys() - {"by"}:
            raise document.error("has no condition; it would keep every tag", "keep", number)
    return Retention(
        name=document.name,
        scopes=spec["scopes"],
        keep=tuple(_rule(rule) for rule in spec["keep"]),
        protect=spec.get("protect", ()),
        interval=spec.get("interval", DEFAULT_INTERVAL),
    )


def read_protection(document: Document, known: KnownUsers) -> TagProtection:
    """Return the TagProtection that a document describes.

    Raises: ConfigError.
    """
    spec = TAG_PROTECTION.read(document)
    users, groups = read_subjects(document, "except", spec.get("except", ()), known)
    return TagProtection(
        name=document.name,
        scopes=spec["scopes"],
        immutable=spec.get("immutable", True),
        deletable=spec.get("deletable", False),
        users=users,
        groups=groups,
    )


def _rule(rule: Values) -> KeepRule:
    return KeepRule(
        newest=rule.get("newest"),
        by=rule.get("by", Order.PUSH),
        pushed_within=rule.get("pushedWithin"),
        pulled_within=rule.get("pulledWithin"),
        tags=rule.get("tags", ()),
        versions=rule.get("semver"),
    )
