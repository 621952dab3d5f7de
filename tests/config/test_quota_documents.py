"""`Quota` documents: what they mean, and how they are wrong."""

import pytest

from simple_registry.access.quotas import Per, Quota
from simple_registry.access.scopes import ScopePattern
from simple_registry.config.load import load_access
from simple_registry.config.values import ConfigError


def load(directory, spec):
    (directory / "a.yaml").write_text(f"kind: Quota\nmetadata: {{name: a}}\nspec: {spec}\n")
    return load_access([directory]).quotas


def test_a_quota_says_what_may_be_used(tmp_path):
    spec = "{scopes: [^a], per: all, limits: {bytes: 20GB, tags: 3, manifests: 4}, warnAt: 75%}"
    limits = {"bytes": 20 * 10**9, "tags": 3, "manifests": 4}
    assert load(tmp_path, spec) == (Quota("a", limits, Per.ALL, (ScopePattern("^a"),), warn_at=0.75),)


def test_a_quota_is_for_every_repository_unless_it_says_otherwise(tmp_path):
    assert load(tmp_path, "{limits: {bytes: 1}}") == (Quota("a", {"bytes": 1}, Per.REPOSITORY, warn_at=0.9),)


def test_a_quota_may_be_for_users(tmp_path):
    (quota,) = load(tmp_path, "{subjects: [{kind: Group, name: ci}], per: user, limits: {manifests: 1}}")
    assert quota == Quota("a", {"manifests": 1}, Per.USER, groups=frozenset({"ci"}))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("{}", "needs 'limits'"),
        ("{limits: {}}", "limits is empty"),
        ("{limits: {bytes: 0}}", "not a size"),
        ("{limits: {bytes: 20 apples}}", "not a size"),
        ("{limits: {tags: 0}}", "not a count"),
        ("{limits: {blobs: 1}}", "not a known field"),
        ("{limits: {tags: 1}, per: tag}", "not accepted"),
        ("{limits: {tags: 1}, scopes: []}", "scopes is empty; leave it out"),
        ("{limits: {tags: 1}, scopes: ['(']}", "not a valid pattern"),
        ("{limits: {tags: 1}, subjects: [{kind: User, name: bob}]}", "names no User: 'bob'"),
        ("{limits: {tags: 1}, warnAt: 0%}", "not a share"),
        ("{limits: {tags: 1}, warnAt: 101%}", "not a share"),
        ("{limits: {tags: 1}, warnAt: 0.9}", "not a share"),
    ],
)
def test_a_quota_that_is_wrong_is_refused(tmp_path, spec, reason):
    with pytest.raises(ConfigError, match=reason):
        load(tmp_path, spec)
