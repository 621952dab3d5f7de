"""Documents of `accessControl`: for every user and repository they give what zot gives.

`zot_answers.json` has a configuration, and what a running zot let its users do: for each action the numbers of the
repositories in which it did not answer 401 or 403 to a GET of the tags, the beginning of an upload, the push of another
manifest to a tag, and the deletion of an unknown manifest. `support.zot` decides all other configurations.
"""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from simple_registry.access.permission import Resource
from simple_registry.config.foreign.zot_access import ACTIONS
from support.importing import Imported
from support.zot import can

USERS = ("alice", "bob", "carol")
CALLERS = (*USERS, None)
GLOBS = ("**", "*", "team/*", "team/**", "team/app", "t*/**", "*/app", "prod/**", "infra", "infr?", "{team,prod}/*")
REPOSITORIES = (
    *("app", "infra", "prod", "team", "team/app", "team/web", "team/app/x", "prod/app", "prod/a/b", "tool", "tool/app"),
)
EXAMPLE = {
    "groups": {"developers": {"users": ["alice"]}, "operators": {"users": ["bob"]}},
    "repositories": {
        "**": {"defaultPolicy": ["read", "create"], "anonymousPolicy": ["read"]},
        "team/**": {
            "policies": [
                {"groups": ["developers"], "actions": ["read", "create", "update"]},
                {"users": ["bob"], "actions": ["read"]},
            ],
        },
        "team/app": {"policies": [{"users": ["carol"], "actions": ["read", "delete"]}]},
        "prod/**": {"defaultPolicy": ["read"], "anonymousPolicy": []},
    },
    "adminPolicy": {"groups": ["operators"], "actions": ["read", "create", "update", "delete"]},
}


def configuration(control):
    return {
        "distSpecVersion": "1.1.1",
        "http": {"auth": {"htpasswd": {"path": "/nowhere"}}, "accessControl": control},
    }


def asked(imported):
    """How to ask whether a user may do something in a repository."""
    return {
        "read": lambda user, name: imported.may(user, "GET", name),
        "create": lambda user, name: imported.may(user, "PUT", name),
        "update": imported.may_move,
        "delete": lambda user, name: imported.may(user, "DELETE", name),
    }


def differences(imported, control):
    """Every question that the documents answer in another way than zot."""
    for caller, name in itertools.product(CALLERS, REPOSITORIES):
        there = {action: can(control, caller, action, name) for action in ACTIONS}
        here = {action: may(caller, name) for action, may in asked(imported).items()}
        there["update"] = there["update"] and there["create"]  # the other half has no counterpart
        assert here["read"] == imported.may(caller, "HEAD", name, Resource.BLOBS)
        assert here["create"] == imported.may(caller, "POST", name, Resource.BLOBS)
        yield from ((caller, name, action) for action in ACTIONS if here[action] != there[action])


RECORDED = json.loads(Path(__file__).with_name("zot_answers.json").read_text())


def answered(user, action):
    return {RECORDED["repositories"][number] for number in RECORDED["allowed"][user or ""][action]}


@pytest.mark.parametrize("user", ["alice", "bob", "carol", "root", None])
def test_users_may_do_what_a_running_zot_let_them_do(tmp_path, user):
    imported = Imported(tmp_path, configuration(RECORDED["control"]), users=["alice", "bob", "carol", "root"])
    here = {
        action: {name for name in RECORDED["repositories"] if may(user, name)}
        for action, may in asked(imported).items()
    }
    assert here == {action: answered(user, action) for action in ACTIONS} | {
        "update": answered(user, "update") & answered(user, "create")
    }


@pytest.mark.parametrize("user", ["alice", "bob", "carol", "root", None])
def test_what_decides_in_other_tests_decides_as_a_running_zot(user):
    for action in ACTIONS:
        found = {name for name in RECORDED["repositories"] if can(RECORDED["control"], user, action, name)}
        assert found == answered(user, action)


def test_the_example_gives_what_zot_gives(tmp_path):
    imported = Imported(tmp_path, configuration(EXAMPLE), users=USERS)
    assert list(differences(imported, EXAMPLE)) == []


actions = st.lists(st.sampled_from([*ACTIONS, "detectManifestCollision"]), unique=True)
policies = st.fixed_dictionaries(
    {
        "users": st.lists(st.sampled_from(USERS), unique=True, max_size=2),
        "groups": st.lists(st.sampled_from(["g", "h", "unknown"]), unique=True, max_size=2),
        "actions": actions,
    },
    optional={"conditions": st.lists(st.just({"expression": "true", "message": ""}), max_size=1)},
)
rules = st.fixed_dictionaries(
    {}, optional={"policies": st.lists(policies, max_size=2), "defaultPolicy": actions, "anonymousPolicy": actions}
)
groups = st.fixed_dictionaries({"users": st.lists(st.sampled_from(USERS), unique=True)})
controls = st.fixed_dictionaries(
    {"repositories": st.dictionaries(st.sampled_from(["", *GLOBS]), rules, max_size=5)},
    optional={"groups": st.dictionaries(st.sampled_from(["g", "h"]), groups), "adminPolicy": policies},
)


@given(controls)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_every_configuration_gives_what_zot_gives(tmp_path_factory, control):
    imported = Imported(tmp_path_factory.mktemp("zot"), configuration(control), users=USERS)
    assert list(differences(imported, control)) == []
    leaves = imported.translation.leaves
    assert leaves.became.keys() | leaves.remarks.keys() == set(leaves.found.values())
    assert not leaves.became.keys() & leaves.remarks.keys()


def test_create_without_update_keeps_tags(tmp_path):
    control = {"repositories": {"**": {"defaultPolicy": ["read", "create"]}}}
    (protection,) = Imported(tmp_path, configuration(control), users=USERS).rules.protections
    assert (protection.name, protection.immutable, protection.deletable) == ("**: only update moves tags", True, True)


def test_an_admin_without_update_keeps_tags_everywhere(tmp_path):
    control = {"repositories": {"team/**": {}}, "adminPolicy": {"users": ["alice"], "actions": ["read", "create"]}}
    imported = Imported(tmp_path, configuration(control), users=USERS)
    names = {protection.name for protection in imported.rules.protections}
    assert names == {"team/**: only update moves tags", "no pattern: only update moves tags"}
    assert imported.may("alice", "PUT", "other")
    assert not imported.may_move("alice", "other")


def test_many_patterns_are_translated(tmp_path):
    teams = [f"team-{number}" for number in range(60)]
    rules = {f"{team}/**": {"policies": [{"users": ["alice"], "actions": ["read"]}]} for team in teams}
    imported = Imported(
        tmp_path, configuration({"repositories": {"**": {"defaultPolicy": ["read"]}, **rules}}), users=USERS
    )
    for name in ("team-7/app", "team-59/a/b", "team-3"):
        assert imported.may("alice", "GET", name)
        assert not imported.may("bob", "GET", name)
    assert imported.may("bob", "GET", "team-60/app")


def remarks(tmp_path, control):
    return Imported(tmp_path, configuration(control), users=USERS).translation.remarks


def test_patterns_of_one_length_are_pointed_out(tmp_path):
    control = {"repositories": {"a/*": {"defaultPolicy": ["read"]}, "*/b": {"defaultPolicy": ["read"]}, "c": {}}}
    (remark,) = remarks(tmp_path, control)
    assert "'a/*' and '*/b' are equally long" in remark


def test_update_without_create_is_pointed_out(tmp_path):
    (remark,) = remarks(tmp_path, {"repositories": {"**": {"defaultPolicy": ["read", "update"]}}})
    assert remark == "**: default policy: update without create has no counterpart, and is not given"


def test_a_group_that_zot_does_not_find_is_pointed_out(tmp_path):
    policy = {"groups": ["Developers"], "actions": ["read"]}
    control = {"groups": {"Developers": {"users": ["alice"]}}, "repositories": {"**": {"policies": [policy]}}}
    imported = Imported(tmp_path, configuration(control), users=USERS)
    (remark,) = imported.translation.remarks
    assert remark.startswith("**: policy 1: zot reads the group 'Developers' as 'developers'")
    assert not imported.may("alice", "GET", "app")


def test_a_policy_that_counts_nowhere_is_pointed_out(tmp_path):
    control = {"repositories": {"a": {"defaultPolicy": ["read"]}, "[a]": {}}}
    (remark,) = remarks(tmp_path, control)
    assert remark == "a: default policy: it counts for no repository, because longer patterns match all of them"


@pytest.mark.parametrize("authentication", [{}, {"auth": {"htpasswd": {"path": "/nowhere"}}}])
def test_the_catalog_is_for_every_caller(tmp_path, authentication):
    control = {"repositories": {"**": {"anonymousPolicy": ["read"]}}}
    content = {"distSpecVersion": "1.1.1", "http": {**authentication, "accessControl": control}}
    imported = Imported(tmp_path, content, users=USERS if authentication else ())
    assert imported.may(None, "GET", "", Resource.CATALOG)
    assert not authentication or imported.may("alice", "GET", "", Resource.CATALOG)
