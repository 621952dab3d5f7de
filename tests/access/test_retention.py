"""Which tags stay: by each condition, by several rules, and by several Retentions."""

from dataclasses import dataclass

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.retention import KeepRule, Order, Retention, Times, Verdict, belongs_to, judge
from simple_registry.access.scopes import ScopePattern
from simple_registry.access.versions import parse_range
from simple_registry.oci.digests import Digest, digest_of
from simple_registry.oci.names import RepositoryName, Tag

DAY = 24 * 3600.0
NOW = 1_000 * DAY
IMAGE, SIGNATURE = digest_of(b"image"), digest_of(b"signature")
SIGNED = f"sha256-{IMAGE.encoded}.sig"
REPOSITORY = RepositoryName("team/app")
TIMES = Times(NOW, lambda age: NOW - age)


@dataclass(frozen=True)
class Dated:
    tag: Tag
    pushed: float
    pulled: float | None = None
    digest: Digest = IMAGE


def tag(name, pushed=0.0, pulled=None, digest=None):
    """Return a tag that was pushed, and perhaps pulled, so many days ago."""
    digest = digest or digest_of(name.encode())
    return Dated(Tag(name), NOW - pushed * DAY, None if pulled is None else NOW - pulled * DAY, digest)


def patterns(*texts):
    return tuple(ScopePattern(text) for text in texts)


def retention(*keep, name="builds", scopes=("^team/.+:",), protect=()):
    return Retention(name, patterns(*scopes), keep, patterns(*protect))


def gone(tags, *retentions, protected=lambda _tag: None, manifests=None):
    verdicts = judge(retentions, REPOSITORY, tags, TIMES, protected, manifests=manifests or {})
    return " ".join(verdict.tag for verdict in verdicts if verdict.reason is None)


def reasons(tags, *retentions, protected=lambda _tag: None, manifests=None):
    return {
        each.tag: each.reason
        for each in judge(retentions, REPOSITORY, tags, TIMES, protected, manifests=manifests or {})
    }


def test_the_newest_by_push_stay():
    tags = [tag("a", 3), tag("b", 1), tag("c", 2)]
    assert gone(tags, retention(KeepRule(newest=2))) == "a"
    assert gone(tags, retention(KeepRule(newest=3))) == ""


def test_the_newest_by_pull_stay_and_a_push_counts_as_one():
    tags = [tag("pulled", 9, 1), tag("pushed", 2), tag("neither", 3, 4)]
    assert gone(tags, retention(KeepRule(newest=2, by=Order.PULL))) == "neither"


def test_tags_as_new_as_the_last_that_counts_stay():
    assert gone([tag("a", 1), tag("b", 1), tag("c", 2)], retention(KeepRule(newest=1))) == "c"


def test_a_push_or_a_pull_within_a_time_keeps():
    tags = [tag("new", 1), tag("old", 40), tag("used", 40, 20), tag("unused", 40, 31)]
    assert gone(tags, retention(KeepRule(pushed_within=30 * DAY))) == "old used unused"
    assert gone(tags, retention(KeepRule(pulled_within=30 * DAY))) == "old unused"


def test_a_pull_may_be_later_than_recorded():
    tags = [tag("a", 40, 30 + 0.9 / 24), tag("b", 40, 30 + 1.1 / 24)]
    assert gone(tags, retention(KeepRule(pulled_within=30 * DAY))) == "b"


def test_a_jump_of_the_clock_ages_nothing():
    jumped = Times(NOW + 9_000 * DAY, lambda age: NOW - age)
    (verdict,) = judge(
        [retention(KeepRule(pushed_within=DAY))], REPOSITORY, [tag("a", 0.5)], jumped, lambda _: None, manifests={}
    )
    assert verdict.reason == "pushed within 24h"


def test_a_time_in_the_future_makes_no_tag_the_newest_for_ever():
    assert gone([tag("future", -900), tag("now"), tag("old", 1)], retention(KeepRule(newest=1))) == "old"


def test_tags_that_match_and_versions_stay():
    tags = [tag("v1.9"), tag("v1.2.3"), tag("v4"), tag("main"), tag("pr-7")]
    rules = (KeepRule(tags=patterns("^main$", "^dev")), KeepRule(versions=parse_range(">=1.2 <3")))
    assert gone(tags, retention(*rules)) == "v4 pr-7"


def test_a_rule_counts_only_what_meets_its_other_conditions():
    tags = [tag("v1", 3), tag("v2", 2), tag("b1", 1), tag("b2", 0)]
    assert gone(tags, retention(KeepRule(newest=1, tags=patterns("^v")))) == "v1 b1 b2"


def test_one_rule_is_enough():
    tags = [tag("v1", 3), tag("v2", 2), tag("b1", 1), tag("b2", 0)]
    assert gone(tags, retention(KeepRule(newest=1), KeepRule(tags=patterns("^v1$")))) == "v2 b1"


def test_protected_tags_stay_and_do_not_count():
    tags = [tag("latest"), tag("a", 1), tag("b", 2)]
    assert gone(tags, retention(KeepRule(newest=1), protect=["^latest$"])) == "b"


@pytest.mark.parametrize(
    "name",
    [
        f"sha256-{'0' * 64}",
        f"sha256-{'0' * 64}.sig",
        f"sha256-{'f' * 64}.att",
        f"sha512-{'0' * 64}",
        f"sha512-{'0' * 120}.sbom"[:128],
    ],
)
def test_a_tag_that_names_a_digest_stays_and_does_not_count(name):
    tags = [tag("v1", 3), tag("v2", 2), tag(name, 1)]
    held = {} if (digest := belongs_to(name)) is None else {digest: False}
    assert reasons(tags, retention(KeepRule(newest=1)), manifests=held) == {
        "v1": None,
        "v2": "newest 1 by push",
        name: "names a digest",
    }


def test_a_signature_stays_while_its_manifest_has_a_tag_that_stays():
    tags = [tag("v1", 3, digest=IMAGE), tag("v2", 2), tag(SIGNED, 3), tag("stable", 3, digest=IMAGE)]
    assert gone(tags, retention(KeepRule(newest=1)), manifests={IMAGE: False}) == "v1 SIGNED stable".replace(
        "SIGNED", SIGNED
    )
    stable = KeepRule(tags=patterns("^stable$"))
    assert gone(tags, retention(KeepRule(newest=1), stable), manifests={IMAGE: False}) == "v1"
    out_of_reach = retention(KeepRule(newest=1), scopes=["^team/app:(v|sha)"])
    assert gone(tags, out_of_reach, manifests={IMAGE: False}) == "v1"


def test_a_signature_stays_while_another_manifest_keeps_its_own():
    tags = [tag("v1", 3, digest=IMAGE), tag("v2", 2), tag(SIGNED, 3)]
    assert gone(tags, retention(KeepRule(newest=1)), manifests={IMAGE: True}) == "v1"


def test_a_signature_of_a_manifest_without_a_tag_stays():
    assert gone([tag("v2", 2), tag(SIGNED, 3)], retention(KeepRule(newest=1)), manifests={IMAGE: False}) == ""


def test_a_signature_goes_a_day_after_it_was_pushed_without_its_manifest():
    tags = [tag("v2", 2), tag(SIGNED, 1.1), tag(f"sha256-{IMAGE.encoded}.att", 0.9)]
    verdicts = {each.tag: each for each in judge([retention()], REPOSITORY, tags, TIMES, lambda _: None, manifests={})}
    assert (verdicts[SIGNED].reason, verdicts[SIGNED].cause) == (None, f"{IMAGE} is gone")
    assert verdicts[f"sha256-{IMAGE.encoded}.att"].reason == "names a digest"


def test_signatures_of_a_signature_go_with_it_unless_they_are_protected():
    attested = f"sha256-{SIGNATURE.encoded}.att"
    tags = [tag(attested, 3), tag(SIGNED, 3, digest=SIGNATURE), tag("v1", 3, digest=IMAGE), tag("v2", 2)]
    held = {IMAGE: False, SIGNATURE: False}
    verdicts = judge([retention(KeepRule(newest=1))], REPOSITORY, tags, TIMES, lambda _: None, manifests=held)
    assert [(each.tag, each.of, each.depth) for each in verdicts if each.reason is None] == [
        (attested, SIGNATURE, 2),
        (SIGNED, IMAGE, 1),
        ("v1", None, 0),
    ]
    assert gone(tags, retention(KeepRule(newest=1)), manifests=held, protected={SIGNED: "x"}.get) == "v1"
    assert gone(tags, retention(KeepRule(newest=1), protect=["[.]sig$"]), manifests=held) == "v1"


@pytest.mark.parametrize("name", ["sha256-0", f"sha256-{'g' * 64}", f"x-sha256-{'0' * 64}", f"md5-{'0' * 64}"])
def test_a_tag_that_looks_like_a_digest_and_names_none_is_like_any_other(name):
    assert gone([tag(name, 3), tag("v2", 2)], retention(KeepRule(newest=1))) == name


def test_what_no_retention_reaches_has_no_verdict_and_does_not_count():
    tags = [tag("x", 0), tag("v1", 1), tag("v2", 2)]
    assert reasons(tags, retention(KeepRule(newest=1), scopes=["^team/app:v"])) == {
        "v1": "newest 1 by push",
        "v2": None,
    }


def test_a_tag_goes_only_if_every_retention_that_reaches_it_lets_it():
    tags = [tag("v1", 2), tag("v2", 1), tag("b1", 2), tag("b2", 1)]
    few, versions = retention(KeepRule(newest=1)), retention(KeepRule(newest=9), name="v", scopes=["^team/app:v"])
    assert gone(tags, few, versions) == gone(tags, versions, few) == "b1"
    (first, *_) = judge([few, versions], REPOSITORY, tags, TIMES, lambda _: None, manifests={})
    assert first == Verdict(Tag("v1"), "v", "newest 9 by push")


def test_a_tag_protection_keeps_from_removal():
    found = reasons([tag("v1", 3), tag("v2", 2)], retention(KeepRule(newest=1)), protected={"v1": "releases"}.get)
    assert found == {"v1": "protected by TagProtection releases", "v2": "newest 1 by push"}


def test_a_repository_outside_every_scope_is_not_looked_at():
    assert retention(KeepRule(newest=1)).may_reach(REPOSITORY)
    assert not retention(KeepRule(newest=1)).may_reach(RepositoryName("other"))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (KeepRule(newest=5, by=Order.PULL, tags=patterns("^v")), "newest 5 by pull, tag ^v"),
        (KeepRule(pushed_within=DAY, pulled_within=90.0), "pushed within 24h, pulled within 90s"),
        (KeepRule(versions=parse_range(">1"), tags=patterns("a", "b")), "tag a or tag b, version >1"),
    ],
)
def test_a_reason_is_the_rule_in_words(rule, text):
    assert rule.text == text


DATED = st.builds(tag, st.text("abv1", min_size=1, max_size=3), st.integers(0, 50), st.none() | st.integers(0, 50))


@given(st.lists(DATED, unique_by=lambda each: each.tag), st.integers(1, 5), st.sampled_from(Order))
def test_at_least_so_many_of_the_newest_stay(tags, newest, by):
    kept = KeepRule(newest=newest, by=by).kept(tags, TIMES)
    assert len(kept) >= min(newest, len(tags))
    used = [each.pushed if by is Order.PUSH else max(each.pushed, each.pulled or 0) for each in tags]
    assert all(
        time >= sorted(used, reverse=True)[: len(kept)][-1]
        for each, time in zip(tags, used, strict=True)
        if each in kept
    )
