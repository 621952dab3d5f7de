"""`Retention` and `TagProtection` documents: what they mean, and how they are wrong."""

import pytest

from simple_registry.access.retention import KeepRule, Order, Retention
from simple_registry.access.scopes import ScopePattern
from simple_registry.access.tag_protection import TagProtection
from simple_registry.access.versions import parse_range
from simple_registry.config.load import load_access
from simple_registry.config.values import ConfigError

DAY = 24 * 3600.0


def load(directory, kind, spec):
    (directory / "a.yaml").write_text(f"kind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n")
    return load_access([directory])


def refusal(directory, kind, spec):
    with pytest.raises(ConfigError) as refused:
        load(directory, kind, spec)
    return str(refused.value)


def test_a_retention_says_what_to_keep(tmp_path):
    keep = "[{newest: 5, by: pull}, {pushedWithin: 30d, tags: [^v]}, {pulledWithin: 1h}, {semver: '>=1.2 <3'}]"
    rules = load(tmp_path, "Retention", f"{{scopes: [^a], keep: {keep}, protect: [latest], interval: 0s}}")
    expected = (
        KeepRule(newest=5, by=Order.PULL),
        KeepRule(pushed_within=30 * DAY, tags=(ScopePattern("^v"),)),
        KeepRule(pulled_within=3600.0),
        KeepRule(versions=parse_range(">=1.2 <3")),
    )
    assert rules.retentions == (Retention("a", (ScopePattern("^a"),), expected, (ScopePattern("latest"),), 0.0),)


def test_a_retention_runs_once_a_day_unless_it_says_otherwise(tmp_path):
    rules = load(tmp_path, "Retention", "{scopes: [^a], keep: [{newest: 1}]}")
    assert rules.retentions == (Retention("a", (ScopePattern("^a"),), (KeepRule(newest=1),), (), DAY),)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("{scopes: [], keep: [{newest: 1}]}", "scopes is empty"),
        ("{scopes: [a], keep: []}", "keep is empty"),
        ("{scopes: [a], keep: [{by: pull}]}", r"keep[0] has no condition"),
        ("{scopes: [a], keep: [{}]}", r"keep[0] has no condition"),
        ("{scopes: [a], keep: [{newest: 0}]}", "not a count"),
        ("{scopes: [a], keep: [{semver: ^1}]}", "not a range of versions"),
        ("{scopes: [a], keep: [{newest: 1}], interval: -1s}", "not a duration"),
    ],
)
def test_a_retention_is_refused_with_the_reason(tmp_path, spec, reason):
    assert reason in refusal(tmp_path, "Retention", spec)


def test_a_tag_protection_is_strict_unless_it_says_otherwise(tmp_path):
    rules = load(tmp_path, "TagProtection", "{scopes: [^a]}")
    assert rules.protections == (TagProtection("a", (ScopePattern("^a"),)),)
    (protection,) = rules.protections
    assert (protection.immutable, protection.deletable) == (True, False)


def test_a_tag_protection_has_exceptions(tmp_path):
    spec = "{scopes: [^a], immutable: false, deletable: true, except: [{kind: Group, name: ops}]}"
    (protection,) = load(tmp_path, "TagProtection", spec).protections
    assert (protection.immutable, protection.deletable, protection.groups) == (False, True, frozenset({"ops"}))


@pytest.mark.parametrize("word", ["yes", "on", "1", "maybe"])
def test_a_boolean_is_true_or_false(tmp_path, word):
    assert "true" in refusal(tmp_path, "TagProtection", f"{{scopes: [a], immutable: {word}}}")
