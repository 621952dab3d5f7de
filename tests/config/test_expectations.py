import re

import pytest

from simple_registry.access.policy import Allowed
from simple_registry.config.expectations import read_expectations
from simple_registry.config.load import load_access
from simple_registry.config.values import ConfigError

RULES = """\
kind: User
metadata: {name: anonymous}
spec: {groups: [public]}
---
kind: User
metadata: {name: bob}
spec: {groups: [team]}
---
kind: User
metadata: {name: mapped}
---
kind: Role
metadata: {name: pull}
spec: {resources: [blobs, manifests], verbs: [pull]}
---
kind: Token
metadata: {name: deploy}
spec: {username: bob, value: a-token-that-is-long-enough-for-this, scopes: ['repository:^team/app:pull']}
---
kind: TokenIssuer
metadata: {name: ci}
spec:
  issuer: https://ci.example
  audience: registry
  keys: {pem: [key]}
  groupsClaim: groups
  conditions: {owner: acme, protected: "true"}
  bindings: [{roleRef: {name: pull}, scopes: ['^ci/{project}$']}]
---
kind: TokenIssuer
metadata: {name: people}
spec: {issuer: https://people.example, audience: registry, keys: {pem: [key]}, userPrefix: ''}
"""


@pytest.fixture
def read(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.yaml").write_text(RULES)
    rules = load_access([tmp_path / "rules"])
    table = tmp_path / "table.yaml"

    def of(text):
        table.write_text(text)
        return list(read_expectations(table, rules))

    return of


def test_every_question_is_an_expectation_with_its_line(read):
    found = read("- as: bob\n  can:\n  - pull blobs a\n  - push image a:1\n  cannot: [delete blobs a]\n---\n[]\n")
    assert [(each.place.line, each.who, each.question.text, each.allowed) for each in found] == [
        (3, "bob", "pull blobs a", True),
        (4, "bob", "push image a:1", True),
        (5, "bob", "delete blobs a", False),
    ]


def caller(read, row):
    return read(f"- {{{row}, can: [pull blobs ci/app]}}\n")[0].caller


def test_callers_are_users_groups_tokens_and_clients_without_credentials(read):
    assert caller(read, "as: bob").identity.groups == {"team"}
    assert caller(read, "anonymous: true").identity.name == "anonymous"
    assert caller(read, "groups: [a, b]").identity.groups == {"a", "b"}
    assert caller(read, "token: deploy").identity.name == "bob"
    assert len(caller(read, "token: deploy").limits) == 1
    assert caller(read, "as: 'ci:job'").identity.name == "ci:job"


def test_claims_are_judged_as_those_of_a_token_are(read):
    claims = "sub: job, owner: acme, protected: true, project: app, groups: [team]"
    given = caller(read, f"issuer: ci, claims: {{{claims}}}").identity
    assert (given.name, given.groups) == ("ci:job", {"team"})
    assert [bound.scopes[0].text for bound in given.bindings] == ["^ci/app$"]
    assert caller(read, f"issuer: ci, claims: {{{claims.replace('acme', 'other')}}}") is None
    assert caller(read, "issuer: ci") is None
    assert caller(read, "issuer: people, claims: {sub: mapped}").identity.name == "mapped"
    assert caller(read, "issuer: people, claims: {sub: unknown}") is None


def test_without_an_anonymous_user_anonymous_clients_have_no_caller(read, tmp_path):
    (tmp_path / "table.yaml").write_text("- {anonymous: true, cannot: [pull catalog]}\n")
    (tmp_path / "empty").mkdir()
    (only,) = read_expectations(tmp_path / "table.yaml", load_access([tmp_path / "empty"]))
    assert only.caller is None


def test_a_token_of_claims_is_decided_with_what_its_issuer_binds(read, tmp_path):
    (each,) = read(
        "- {issuer: ci, claims: {sub: j, owner: acme, protected: 'true', project: app}, can: [pull blobs ci/app]}"
    )
    rules = load_access([tmp_path / "rules"])
    assert isinstance(rules.policy.decide(each.caller.identity, each.question.permissions[0]), Allowed)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("as: bob\n", "1: must be a list"),
        ("- {can: [pull catalog]}\n", "1: [0] needs exactly one of as, anonymous, groups, token, and issuer"),
        ("- {as: bob, anonymous: true, can: [pull catalog]}\n", "1: [0] needs exactly one of"),
        ("- {as: bob, claims: {}, can: [pull catalog]}\n", "1: [0] needs exactly one of"),
        ("- {as: bob}\n", "1: [0] needs can or cannot"),
        ("- {as: bob, may: [pull catalog]}\n", "[0].may is not a known field; known here"),
        ("- {as: bop, can: [pull catalog]}\n", "[0].as names no User: 'bop'; did you mean 'bob'"),
        ("- {anonymous: false, can: [pull catalog]}\n", "[0].anonymous must be true"),
        ("- {token: deplyo, can: [pull catalog]}\n", "[0].token names no Token: 'deplyo'; did you mean 'deploy'"),
        ("- {issuer: co, can: [pull catalog]}\n", "[0].issuer names no TokenIssuer: 'co'"),
        ("- as: bob\n  can:\n  - pull catalog\n  - fetch blobs a\n", "4: [0].can[1] is wrong: 'fetch' is not a verb"),
        ("- {as: bob, can: pull catalog}\n", "[0].can must be a list"),
        ("- {as: bob, can: [", "this is not YAML"),
    ],
)
def test_a_wrong_expectation_is_refused_with_file_and_line(read, tmp_path, text, says):
    with pytest.raises(ConfigError) as refused:
        read(text)
    assert re.match(rf"{tmp_path}/table\.yaml:[0-9]+: ", str(refused.value))
    assert says in str(refused.value)
