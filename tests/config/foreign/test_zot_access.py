"""What zot's `accessControl` says: rules by pattern, who is named, and where a rule counts."""

import pytest

from simple_registry.config.foreign.languages import NOTHING, pattern
from simple_registry.config.foreign.leaves import Leaves, read_leaves
from simple_registry.config.foreign.reading import translate
from simple_registry.config.foreign.translation import ANONYMOUS, Subject
from simple_registry.config.foreign.zot_access import EVERY_USER, Grant, read_access
from simple_registry.config.values import ConfigError


@pytest.fixture
def read(tmp_path):
    def call(text):
        (tmp_path / "config.json").write_text(text)
        found = read_leaves(tmp_path / "config.json")
        leaves = Leaves({tuple(key.lower() for key in path): leaf for path, leaf in found.items()})
        return read_access(leaves), leaves

    return call


CONTROL = """\
http:
  auth: {htpasswd: {path: x}}
  accessControl:
    groups: {G: {users: [dora, "a:b"]}}
    adminPolicy: {users: [root], actions: [read]}
    metrics: {users: [prometheus], anonymousPolicy: [read]}
    repositories:
      "**":
        policies: [{users: [alice], groups: [g], actions: [read, create, fly]}, {users: [bob], actions: []}]
        defaultPolicy: [read]
        anonymousPolicy: [read]
      team/*: {defaultPolicy: [read, create]}
      team/**: {}
"""


def test_policies_are_grants(read):
    access, leaves = read(CONTROL)
    every, _, deep = access.rules
    alice, default, public = every.grants
    assert (alice.label, alice.actions) == ("**: policy 1", {"read", "create"})
    assert alice.subjects == (Subject("User", "alice"), Subject("Group", "g"))
    assert (default.subjects, public.subjects) == ((EVERY_USER,), (ANONYMOUS,))
    assert access.admin.gives("read", Subject("User", "root"))
    assert access.metrics.subjects == (Subject("User", "prometheus"), ANONYMOUS)
    assert access.groups == {"g": ["dora"]}
    assert set(access.users) == {"alice", "bob", "root", "prometheus", "dora"}
    assert access.is_open
    assert access.authenticates
    assert set(leaves.remarks.values()) == {
        "left out: 'a:b' is not a user name; it holds no colon, is not empty and is not 'anonymous'",
        "left out: 'fly' has no counterpart",
    }
    assert deep.grants == ()


def test_longer_patterns_take_away_what_they_do_not_give(read):
    access, _ = read(CONTROL)
    every, team, deep = access.rules
    alice, default, _ = every.grants
    assert access.reach(every, alice).without == ("team/*", "team/**")
    assert access.reach(every, default).without == ("team/**",)
    assert access.reach(team, team.grants[0]).names == NOTHING
    assert access.cell(deep).without == ()
    assert pattern(access.cell(deep).names) == "^team(/[^:]*)?(:.+)?$"


def test_a_policy_with_conditions_gives_nothing(read):
    policy = "{users: [x], actions: [read], conditions: [{expression: e}]}"
    access, leaves = read(f"http: {{accessControl: {{repositories: {{a: {{policies: [{policy}]}}}}}}}}\n")
    assert access.rules[0].grants == ()
    assert len(leaves.remarks) == 3
    assert {text.split(",")[0] for text in leaves.remarks.values()} == {"conditions have no counterpart"}


@pytest.mark.parametrize(("auth", "subject"), [("{}", ANONYMOUS), ("{htpasswd: {path: x}}", EVERY_USER)])
def test_without_control_every_caller_may_do_everything(read, auth, subject):
    access, _ = read(f"http: {{port: 1, auth: {auth}}}\nextensions: {{metrics: {{enable: true}}}}\n")
    ((grant,),) = (rule.grants for rule in access.rules)
    assert grant.actions == {"read", "create", "update", "delete"}
    assert grant.subjects == access.metrics.subjects == (subject,)


@pytest.mark.parametrize(
    "control",
    [
        "{groups: {Authenticated: {users: [a]}}}",
        "{repositories: {a: {policies: [{groups: [authenticated], actions: [read]}]}}}",
    ],
)
def test_a_group_cannot_have_the_name_of_that_of_every_user(read, control):
    with pytest.raises(ConfigError, match=r"config\.json:1: the group 'authenticated' is that of every user"):
        read(f"http: {{accessControl: {control}}}\n")


def test_a_delay_of_logins_is_no_way_to_log_in(read):
    assert not read("http: {auth: {failDelay: 5}}\n")[0].authenticates


def test_empty_control_gives_nothing(read):
    access, _ = read("http: {accessControl: {}}\n")
    assert list(access.rules) == []
    assert access.admin == Grant("admin policy", frozenset(), ())


def test_a_pattern_that_cannot_be_translated_has_its_place(tmp_path):
    (tmp_path / "config.json").write_text(
        "http:\n  accessControl:\n    repositories:\n      'a***': {defaultPolicy: [read]}\n"
    )
    with pytest.raises(ConfigError, match=r"config.json:4: the pattern 'a\*\*\*' cannot be translated exactly"):
        translate(tmp_path / "config.json")
