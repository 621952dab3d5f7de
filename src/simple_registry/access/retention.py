"""Which tags stay, by `Retention` documents.

    tags of a repository ──► those that a Retention reaches ──► kept by one of its rules, or not

A tag goes only if a Retention reaches it and no Retention that does so keeps it. Tags are counted, not digests, and
manifests without a tag are never looked at. A tag that names a digest, such as that of a signature, belongs to the
manifest of that digest: it stays while that is kept, and goes when that loses its last tag or is gone.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from simple_registry.access.permission import scope_of, scopes_of_tags
from simple_registry.access.scopes import ScopePattern
from simple_registry.access.versions import VersionRange, find_version
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import DigestInvalid
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.times import format_duration

PULL_INTERVAL = 3600.0
"""Seconds between two records of pulls of a tag, and so by how much its last pull may have been later."""


NAMES_DIGEST = "names a digest"
"""The reason why a tag of a signature stays."""

_NAMES_DIGEST = re.compile(r"(sha256|sha512)-([0-9a-f]{64,128})([^0-9a-f].*)?")
"""Tags made of a digest: those of cosign (`sha256-….sig`, `.att`, `.sbom`), and those of lists of referrers."""

ALONE = 24 * 3600.0
"""Seconds for which a signature waits for its manifest."""


class Order(StrEnum):
    """What makes a tag newer than another."""

    PUSH = "push"
    PULL = "pull"


class DatedTag(Protocol):
    """A tag with the times of its last push and its last pull, in seconds since the epoch."""

    @property
    def tag(self) -> Tag:
        """Its name."""

    @property
    def digest(self) -> Digest:
        """The manifest it points at."""

    @property
    def pushed(self) -> float:
        """When it was last pushed."""

    @property
    def pulled(self) -> float | None:
        """When it was last pulled, as far as that is recorded."""


@dataclass(frozen=True, slots=True)
class Times:
    """The present time, and the time of rows of an age: see `operations.cutoffs`."""

    now: float
    before: Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRule:
    """Keeps the tags that meet all its conditions, and of these only the `newest`, if it has that number."""

    newest: int | None = None
    by: Order = Order.PUSH
    pushed_within: float | None = None
    pulled_within: float | None = None
    tags: tuple[ScopePattern, ...] = ()
    versions: VersionRange | None = None

    @property
    def text(self) -> str:
        """The rule in words."""
        parts = [
            "" if self.newest is None else f"newest {self.newest} by {self.by}",
            "" if self.pushed_within is None else f"pushed within {format_duration(self.pushed_within)}",
            "" if self.pulled_within is None else f"pulled within {format_duration(self.pulled_within)}",
            " or ".join(f"tag {pattern.text}" for pattern in self.tags),
            "" if self.versions is None else f"version {self.versions.text}",
        ]
        return ", ".join(part for part in parts if part)

    def kept(self, tags: Sequence[DatedTag], times: Times) -> Sequence[DatedTag]:
        """Return the tags that the rule keeps."""
        found = [each for each in tags if self._allows(each, times)]
        if self.newest is None or len(found) <= self.newest:
            return found
        # Tags as new as the last one that counts stay too: nothing says which of them is older.
        limit = sorted((self._time(each, times) for each in found), reverse=True)[self.newest - 1]
        return [each for each in found if self._time(each, times) >= limit]

    def _time(self, tag: DatedTag, times: Times) -> float:
        return _pushed(tag, times) if self.by is Order.PUSH else _used(tag, times)

    def _allows(self, tag: DatedTag, times: Times) -> bool:
        if self.pushed_within is not None and _pushed(tag, times) < times.before(self.pushed_within):
            return False
        if self.pulled_within is not None and _used(tag, times) < times.before(self.pulled_within + PULL_INTERVAL):
            return False
        if self.tags and not any(pattern.matches(tag.tag) for pattern in self.tags):
            return False
        if self.versions is None:
            return True
        version = find_version(tag.tag)
        return version is not None and self.versions.includes(version)


@dataclass(frozen=True, slots=True)
class Retention:
    """Keeps some of the tags within its scopes; `protect` are tags that it never removes and does not count."""

    name: str
    scopes: tuple[ScopePattern, ...]
    keep: tuple[KeepRule, ...]
    protect: tuple[ScopePattern, ...] = ()
    interval: float = 0.0
    """Seconds between two runs; 0: only by command."""

    def may_reach(self, repository: RepositoryName) -> bool:
        """Return whether a tag of the repository may lie within the scopes; in doubt, it may."""
        return any(pattern.may_match_below(scopes_of_tags(repository)) for pattern in self.scopes)

    def reaches(self, repository: RepositoryName, tag: Tag) -> bool:
        """Return whether a tag lies within the scopes."""
        return any(pattern.matches(scope_of(repository, tag)) for pattern in self.scopes)

    def kept(self, tags: Sequence[DatedTag], times: Times) -> Mapping[Tag, str]:
        """Return the tags that stay, of those within the scopes, each with the reason."""
        reasons: dict[Tag, str] = {}
        for each in tags:
            found = next((pattern.text for pattern in self.protect if pattern.matches(each.tag)), None)
            if found is not None:
                reasons[each.tag] = f"protected by {found}"
            elif _NAMES_DIGEST.fullmatch(each.tag):
                reasons[each.tag] = NAMES_DIGEST
        counted = [each for each in tags if each.tag not in reasons]
        for rule in self.keep:
            for each in rule.kept(counted, times):
                reasons.setdefault(each.tag, rule.text)
        return reasons


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a tag stays: by the Retention of this name, for this reason; `reason` is `None` for one that goes.

    A signature goes because of `cause`, with the manifest `of`. Its `depth` is 1, that of a signature of it 2.
    """

    tag: Tag
    retention: str
    reason: str | None
    cause: str = "no rule"
    of: Digest | None = None
    depth: int = 0


def judge(
    retentions: Iterable[Retention],
    repository: RepositoryName,
    tags: Sequence[DatedTag],
    times: Times,
    protected: Callable[[Tag], str | None],
    *,
    manifests: Mapping[Digest, bool],
) -> Sequence[Verdict]:
    """Return a verdict on each tag that a Retention reaches, in their order.

    `protected` returns the name of the TagProtection that keeps a tag from deletion. A tag that goes does so by the
    first Retention that reaches it. Of the digests that tags name, `manifests` has those that the repository holds, and
    whether another manifest keeps each.
    """
    verdicts: dict[Tag, Verdict] = {}
    for retention in retentions:
        reached = [each for each in tags if retention.reaches(repository, each.tag)]
        kept = retention.kept(reached, times)
        for each in reached:
            known = verdicts.get(each.tag)
            if known is None or (known.reason is None and each.tag in kept):
                verdicts[each.tag] = Verdict(each.tag, retention.name, kept.get(each.tag))
    for tag, verdict in verdicts.items():
        verdicts[tag] = _unless_protected(verdict, protected)
    _judge_signatures(verdicts, tags, times, protected, manifests)
    return [verdicts[each.tag] for each in tags if each.tag in verdicts]


def _judge_signatures(
    verdicts: dict[Tag, Verdict],
    tags: Sequence[DatedTag],
    times: Times,
    protected: Callable[[Tag], str | None],
    manifests: Mapping[Digest, bool],
) -> None:
    """Replace the verdicts on tags that name a digest, and go with the manifest that they belong to."""
    tagged = {each.digest for each in tags}
    pending = {each.tag: each for each in tags if each.tag in verdicts and verdicts[each.tag].reason == NAMES_DIGEST}
    depth, more = 0, True
    while more:  # a signature may have signatures, which go with its last tag
        depth += 1
        staying = {each.digest for each in tags if not _goes(verdicts.get(each.tag))}
        alone = {digest for digest, kept in manifests.items() if digest in tagged - staying and not kept}
        found = {tag: cause for tag, each in pending.items() if (cause := _cause(each, alone, manifests, times))}
        for tag, cause in found.items():
            verdict = Verdict(tag, verdicts[tag].retention, None, cause, belongs_to(tag), depth)
            verdicts[tag] = _unless_protected(verdict, protected)
            del pending[tag]
        more = bool(found)


def _cause(tag: DatedTag, alone: Container[Digest], manifests: Container[Digest], times: Times) -> str | None:
    """Return why a tag that names a digest goes: its manifest is gone, or among those that nothing keeps any more."""
    of = belongs_to(tag.tag)
    if of in alone:
        return f"{of} loses its last tag"
    if of is None or of in manifests or _pushed(tag, times) >= times.before(ALONE):
        return None
    return f"{of} is gone"


def _goes(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.reason is None


def _unless_protected(verdict: Verdict, protected: Callable[[Tag], str | None]) -> Verdict:
    rule = protected(verdict.tag) if verdict.reason is None else None
    if rule is None:
        return verdict
    return Verdict(verdict.tag, verdict.retention, f"protected by TagProtection {rule}")


def belongs_to(tag: Tag) -> Digest | None:
    """Return the digest that a tag names; `None` if it names none, or only a part of one that is longer than a tag."""
    found = _NAMES_DIGEST.fullmatch(tag)
    try:
        return parse_digest(f"{found[1]}:{found[2]}") if found else None
    except DigestInvalid:
        return None


def _pushed(tag: DatedTag, times: Times) -> float:
    """Return when a tag was pushed; a time in the future is that of a wrong clock."""
    return min(tag.pushed, times.now)


def _used(tag: DatedTag, times: Times) -> float:
    """Return when a tag was last pulled, or pushed if that was later: a new tag was not pulled yet."""
    return min(max(tag.pushed, tag.pulled or 0.0), times.now)
