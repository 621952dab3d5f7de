"""`TokenIssuer` documents: what they mean, and every way to get them wrong."""

import re

import pytest

from simple_registry.access.issuers import (
    DEFAULT_ALGORITHMS,
    KeysFromFile,
    KeysFromPem,
    KeysFromUrl,
    TemplateBinding,
)
from simple_registry.access.scopes import ScopePattern
from simple_registry.config.load import load_access
from simple_registry.config.values import ConfigError

ROLE = "kind: Role\nmetadata: {name: push}\nspec: {resources: [blobs], verbs: [push]}\n---\n"
FIELDS = {"issuer": "https://ci.example", "audience": "registry", "keys": "{jwksURL: 'https://ci.example/keys'}"}


def text_of(**changes):
    fields = {name: text for name, text in (FIELDS | changes).items() if text is not None}
    lines = "".join(f"  {name}: {text}\n" for name, text in fields.items())
    return f"{ROLE}kind: TokenIssuer\nmetadata: {{name: ci}}\nspec:\n{lines}"


@pytest.fixture
def load(tmp_path):
    def read(further="", **changes):
        (tmp_path / "a.yaml").write_text(text_of(**changes) + further)
        return load_access([tmp_path])

    return read


def issuer(rules):
    (found,) = rules.issuers
    return found


def test_omitted_fields_have_defaults(load):
    read = issuer(load())
    assert (read.name, read.issuer, read.audiences) == ("ci", "https://ci.example", ("registry",))
    assert read.keys == KeysFromUrl("https://ci.example/keys")
    assert read.algorithms == DEFAULT_ALGORITHMS
    assert (read.user_claim, read.user_prefix, read.groups_claim) == ("sub", "ci:", None)
    assert (read.conditions, read.bindings) == ((), ())


def test_every_field_can_be_set(load):
    rules = load(
        audience="[a, b]",
        keys="{jwksFile: keys.json}",
        algorithms="[ES256]",
        userClaim="email",
        userPrefix="''",
        groupsClaim="groups",
        conditions="{owner: acme, ref: refs/heads/.+}",
        bindings="[{roleRef: {name: push}, scopes: ['^ci/{repository}$', '^x$']}]",
    )
    read = issuer(rules)
    assert read.audiences == ("a", "b")
    assert read.algorithms == ("ES256",)
    assert (read.user_claim, read.user_prefix, read.groups_claim) == ("email", "", "groups")
    assert read.conditions == (("owner", ScopePattern("acme")), ("ref", ScopePattern("refs/heads/.+")))
    (bound,) = read.bindings
    assert isinstance(bound, TemplateBinding)
    assert (bound.role.name, bound.scopes) == ("push", ("^ci/{repository}$", "^x$"))


def test_a_key_file_is_relative_to_the_document(load, tmp_path):
    assert issuer(load(keys="{jwksFile: keys.json}")).keys == KeysFromFile(str(tmp_path / "keys.json"))
    assert issuer(load(keys="{pem: [one, two]}")).keys == KeysFromPem(("one", "two"))


@pytest.mark.parametrize("prefix", ["", "ci:", "ci/", "ci.", "ci-", "ci_", "ci@", "ci+", ":"])
def test_a_prefix_is_empty_or_ends_visibly(load, prefix):
    assert issuer(load(userPrefix=f"'{prefix}'")).user_prefix == prefix


@pytest.mark.parametrize("url", ["https://ci/keys", "http://localhost:1/k", "http://127.0.0.1/k", "'http://[::1]:1/k'"])
def test_keys_come_over_https_or_from_this_machine(load, url):
    assert issuer(load(keys=f"{{jwksURL: {url}}}")).keys == KeysFromUrl(url.strip("'"))


def second(name="other", **fields):
    lines = {"issuer": "https://other.example", "audience": "r", "keys": "{pem: [x]}", **fields}
    spec = "".join(f"  {field}: {text}\n" for field, text in lines.items())
    return f"---\nkind: TokenIssuer\nmetadata: {{name: '{name}'}}\nspec:\n{spec}"


@pytest.mark.parametrize(
    ("first", "further"),
    [
        ("ci-", second(userPrefix="ci-prod-")),
        ("ci-prod-", second(userPrefix="ci-")),
        ("ci-", second(userPrefix="ci-")),
        ("ci:", second(name="ci:b")),
        ("other:b:", second(name="other")),
        ("ci-", second(userPrefix="ci-prod-", issuer="https://ci.example")),
        (":", second(userPrefix="'::'")),
    ],
)
def test_no_issuer_can_name_the_users_of_another(load, first, further):
    with pytest.raises(ConfigError, match=r"a\.yaml:[0-9]+: .*could name users of the other; give one"):
        load(further, userPrefix=f"'{first}'")


@pytest.mark.parametrize(
    ("first", "further"),
    [
        ("ci-", second(userPrefix="cd-")),
        ("ci-", second(userPrefix="ci-", issuer="https://ci.example", audience="another")),
        ("", second(userPrefix="ci-")),
        ("", second(userPrefix="''")),
        ("ci-", second(name="ci2")),
    ],
)
def test_distinct_prefixes_are_accepted(load, first, further):
    assert len(load(further, userPrefix=f"'{first}'").issuers) == 2


def test_bindings_may_name_users_that_come_from_an_issuer(load):
    binding = (
        "---\nkind: RoleBinding\nmetadata: {name: b}\n"
        "spec: {subjects: [{kind: User, name: '%s'}], roleRef: {name: push}, scopes: [a]}\n"
    )
    assert load(binding % "ci:bot").issuers
    with pytest.raises(ConfigError, match="names no User: 'other:bot'"):
        load(binding % "other:bot")
    with pytest.raises(ConfigError, match="names no User: 'bot'"):
        load(binding % "bot", userPrefix="''")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"issuer": None}, "7: spec needs 'issuer'"),
        ({"audience": None}, "7: spec needs 'audience'"),
        ({"keys": None}, "7: spec needs 'keys'"),
        ({"isuer": "x"}, "spec.isuer is not a known field; did you mean 'issuer'"),
        ({"issuer": "''"}, "8: spec.issuer is wrong: it is empty"),
        ({"audience": "[]"}, "9: spec.audience is empty"),
        ({"audience": "{}"}, "9: spec.audience must be text, not a mapping"),
        ({"userPrefix": "ci"}, "11: spec.userPrefix is wrong: 'ci' does not end with one of : / . - _ @ +"),
        ({"userPrefix": "ci"}, "write 'ci:'"),
        ({"keys": "{}"}, "10: spec.keys needs exactly one of jwksURL, jwksFile, pem"),
        ({"keys": "{jwksFile: a, pem: [b]}"}, "10: spec.keys needs exactly one of"),
        ({"keys": "{jwksFile: ''}"}, "10: spec.keys.jwksFile is wrong: '' is not a path"),
        ({"keys": "{pem: []}"}, "10: spec.keys.pem is empty"),
        ({"keys": "{url: x}"}, "10: spec.keys.url is not a known field"),
        ({"keys": "{jwksURL: 'http://ci/keys'}"}, "spec.keys.jwksURL is wrong: 'http://ci/keys' is not accepted"),
        ({"keys": "{jwksURL: 'https://u@ci/keys'}"}, "write an https:// URL without a user"),
        ({"keys": "{jwksURL: 'https://[x/keys'}"}, "write an https:// URL"),
        ({"keys": "{jwksURL: ftp://ci}"}, "write an https:// URL"),
        ({"algorithms": "[HS256]"}, "11: spec.algorithms[0] is wrong: 'HS256' is not accepted; did you mean"),
        ({"algorithms": "[none]"}, "spec.algorithms[0] is wrong: 'none' is not accepted"),
        ({"algorithms": "[]"}, "11: spec.algorithms is empty"),
        ({"userClaim": "'a b'"}, "11: spec.userClaim is wrong: 'a b' is not the name of a claim"),
        ({"groupsClaim": "''"}, "11: spec.groupsClaim is wrong: '' is not the name of a claim"),
        ({"conditions": "{owner: '('}"}, "11: spec.conditions.owner is wrong: not a valid pattern"),
        ({"conditions": "{owner: [a]}"}, "11: spec.conditions.owner must be text"),
        ({"conditions": "{owner: a, owner: b}"}, "spec.conditions.owner is there twice"),
        ({"bindings": "[{scopes: [a]}]"}, "11: spec.bindings[0] needs 'roleRef'"),
        ({"bindings": "[{roleRef: {name: push}}]"}, "11: spec.bindings[0] needs 'scopes'"),
        ({"bindings": "[{roleRef: {name: psh}, scopes: [a]}]"}, "names no Role: 'psh'; did you mean 'push'"),
        ({"bindings": "[{roleRef: {name: push}, scopes: []}]"}, "11: spec.bindings[0].scopes is empty"),
        ({"bindings": "[{roleRef: {name: push}, scopes: ['({x}']}]"}, "[0].scopes[0] is wrong: not a valid pattern"),
    ],
)  # fmt: skip
def test_an_error_has_file_line_and_remedy(load, tmp_path, changes, says):
    with pytest.raises(ConfigError) as refused:
        load(**changes)
    assert re.match(rf"{tmp_path}/a\.yaml:[0-9]+: ", str(refused.value))
    assert says in str(refused.value)
