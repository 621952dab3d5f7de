"""`User`, `Role`, `RoleBinding` and `Token` documents: what they mean, and every way to get them wrong."""

import hashlib
import re

import pytest

from simple_registry.access.caller import Identity
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import Allowed
from simple_registry.config.access_documents import declared_of
from simple_registry.config.load import load_access, load_documents, read_documents, warnings_on
from simple_registry.config.settings import Administrator
from simple_registry.config.values import ConfigError, Secret

HASH = "$2b$04$abcdefghijklmnopqrstuuJ0uwpJ0GWDsOm7c9aBIdpqUbx0JVYSi"
VALUE = "a-token-that-is-long-enough-for-this"
RULES = f"""\
kind: User
metadata: {{name: anonymous}}
spec: {{groups: [public]}}
---
kind: User
metadata: {{name: bob}}
spec:
  passwordHash: {HASH}
  groups: [team, public]
---
kind: Role
metadata: {{name: readonly}}
spec: {{resources: [catalog, Blobs, manifests], verbs: [get, HEAD]}}
---
kind: RoleBinding
metadata: {{name: public}}
spec:
  subjects: [{{kind: Group, name: public}}]
  roleRef: {{name: readonly}}
  scopes: ['^$', '^library/.*$']
---
kind: Token
metadata: {{name: deploy}}
spec: {{username: bob, value: {VALUE}, expiresAt: '2027-01-31T12:00:00Z', scopes: ['repository:^library/:pull']}}
"""
ADMIN = Administrator("admin", Secret(HASH))


def write(directory, text, file="a.yaml"):
    (directory / file).write_text(f"{text}\n")
    return directory


def load(directory, text, administrator=None):
    return load_access([write(directory, text)], administrator)


def refusal(directory, text, administrator=None):
    with pytest.raises(ConfigError) as refused:
        load(directory, text, administrator)
    return str(refused.value)


def test_documents_become_rules(tmp_path):
    rules = load(tmp_path, RULES)
    assert rules.identity("bob") == Identity("bob", frozenset({"team", "public"}))
    assert rules.users["bob"].password_hash == HASH
    assert rules.anonymous == Identity("anonymous", frozenset({"public"}))
    assert rules.policy.decide(rules.anonymous, Permission("GET", Resource.BLOBS, "library/x")) == Allowed("public")
    assert not isinstance(rules.policy.decide(rules.anonymous, Permission("GET", Resource.BLOBS, "x")), Allowed)
    (token,) = rules.tokens.values()
    assert (token.name, token.username, token.expires_at) == ("deploy", "bob", 1801396800.0)
    assert token.value_hash == hashlib.sha256(VALUE.encode()).digest()
    assert [grant.actions for grant in token.limit] == [frozenset({"pull"})]


def test_documents_may_be_spread_over_files_in_any_order(tmp_path):
    parts = RULES.split("---\n")
    for index, part in enumerate(reversed(parts)):
        write(tmp_path, part, f"{index}.yml")
    assert set(load_access([tmp_path]).users) == {"anonymous", "bob"}


def test_no_documents_allow_nothing(tmp_path):
    rules = load_access([tmp_path])
    assert rules.anonymous is None
    assert rules.users == {}


def test_the_administrator_of_the_options_has_all_permissions_beside_documents(tmp_path):
    rules = load(tmp_path, RULES, ADMIN)
    decision = rules.policy.decide(Identity("admin"), Permission("DELETE", Resource.MANIFESTS, "any/thing:1"))
    assert decision == Allowed("-adminname admin")
    assert "admin" in rules.users
    assert rules.administrator == "admin"
    assert load(tmp_path, RULES).administrator is None
    assert "the User 'bob' is the administrator of -adminname too" in refusal(
        tmp_path, RULES, Administrator("bob", Secret(HASH))
    )


def test_a_value_hash_may_have_an_algorithm_prefix(tmp_path):
    hashed = hashlib.sha256(VALUE.encode()).hexdigest()
    for text in (hashed, hashed.upper(), f"sha256:{hashed}"):
        rules = load(tmp_path, RULES.replace(f"value: {VALUE}", f"valueHash: '{text}'"))
        assert list(rules.tokens) == [bytes.fromhex(hashed)]


USER = "kind: User\nmetadata: {name: bob}\nspec: "
ROLE = "kind: Role\nmetadata: {name: r}\nspec: "
GOOD = f"kind: User\nmetadata: {{name: bob}}\n---\n{ROLE}{{resources: ['*'], verbs: ['*']}}\n---\n"
BINDING = GOOD + "kind: RoleBinding\nmetadata: {name: b}\nspec: "
TOKEN = GOOD + "kind: Token\nmetadata: {name: t}\nspec: "
SUBJECTS, ROLE_REF, SCOPES = "subjects: [{kind: User, name: bob}]", "roleRef: {name: r}", "scopes: ['^.*$']"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (USER + "{password: x}", "3: spec.password is not a known field; did you mean 'passwordHash'"),
        (USER + "{passwordHash: plain}", "3: spec.passwordHash is wrong: not a bcrypt hash; make one with"),
        (USER + "{groups: team}", "3: spec.groups must be a list"),
        ("kind: User\nmetadata: {name: 'a:b'}\n", "1: 'a:b' is not a user name"),
        (f"kind: User\nmetadata: {{name: anonymous}}\nspec: {{passwordHash: {HASH}}}", "3: spec.passwordHash is wrong"),
        (USER + "{}\n---\n" + USER + "{}", "5: the User 'bob' is there twice; the other is"),
        (ROLE + "{verbs: [pull]}", "3: spec needs 'resources'"),
        (ROLE + "{resources: [blobs]}", "3: spec needs 'verbs'"),
        (ROLE + "{resources: [layers], verbs: [pull]}", "3: spec.resources[0] is wrong: 'layers' is not a resource"),
        (ROLE + "{resources: [blobs], verbs: [fetch]}", "3: spec.verbs[0] is wrong: 'fetch' is not a verb; known: *"),
        (ROLE + "{resources: [], verbs: [pull]}", "3: spec.resources is empty; name at least one"),
        (ROLE + "{resources: [blobs], verbs: pull}", "3: spec.verbs must be a list"),
        (BINDING + f"{{{ROLE_REF}, {SCOPES}}}", "10: spec needs 'subjects'"),
        (BINDING + f"{{{SUBJECTS}, {SCOPES}}}", "10: spec needs 'roleRef'"),
        (BINDING + f"{{{SUBJECTS}, {ROLE_REF}}}", "10: spec needs 'scopes'"),
        (BINDING + f"{{subjects: [], {ROLE_REF}, {SCOPES}}}", "10: spec.subjects is empty; name at least"),
        (BINDING + f"{{{SUBJECTS}, {ROLE_REF}, scopes: []}}", "10: spec.scopes is empty; write '^.*$' for everything"),
        (BINDING + f"{{{SUBJECTS}, {ROLE_REF}, scopes: ['(']}}", "10: spec.scopes[0] is wrong: not a valid pattern"),
        (BINDING + f"{{{SUBJECTS}, roleRef: {{name: s}}, {SCOPES}}}", "10: spec.roleRef.name names no Role: 's'"),
        (BINDING + f"{{{SUBJECTS}, roleRef: {{}}, {SCOPES}}}", "10: spec.roleRef needs 'name'"),
        (
            BINDING + f"{{subjects: [{{kind: User, name: bop}}], {ROLE_REF}, {SCOPES}}}",
            "10: spec.subjects[0].name names no User: 'bop'; did you mean 'bob'",
        ),
        (
            BINDING + f"{{subjects: [{{kind: Robot, name: bob}}], {ROLE_REF}, {SCOPES}}}",
            "10: spec.subjects[0].kind is wrong: 'Robot' is not accepted; known here: Group, User",
        ),
        (BINDING + f"{{subjects: [{{kind: User}}], {ROLE_REF}, {SCOPES}}}", "10: spec.subjects[0] needs 'name'"),
        (BINDING + f"{{subjects: [{{name: bob}}], {ROLE_REF}, {SCOPES}}}", "10: spec.subjects[0] needs 'kind'"),
        (TOKEN + f"{{value: {VALUE}}}", "10: spec needs 'username'"),
        (TOKEN + f"{{username: bop, value: {VALUE}}}", "10: spec.username names no User: 'bop'; did you mean 'bob'"),
        (TOKEN + "{username: bob}", "10: spec needs exactly one of value, valueHash"),
        (TOKEN + f"{{username: bob, value: {VALUE}, valueHash: '00'}}", "10: spec needs exactly one of"),
        (TOKEN + "{username: bob, value: short}", "10: spec.value is wrong: too short for a secret"),
        (TOKEN + f"{{username: bob, value: {'x' * 31}}}", "use at least 32 random characters"),
        (TOKEN + "{username: bob, valueHash: 'md5:00'}", "10: spec.valueHash is wrong: not the SHA-256 of a token"),
        (TOKEN + f"{{username: bob, value: {VALUE}, scopes: []}}", "10: spec.scopes is empty"),
        (TOKEN + f"{{username: bob, value: {VALUE}, scopes: [all]}}", "spec.scopes[0] is wrong: 'all' is not a scope"),
        (TOKEN + f"{{username: bob, value: {VALUE}, scopes: ['repository:a:fetch']}}", "has an unknown action"),
        *(
            (TOKEN + f"{{username: bob, value: {VALUE}, expiresAt: '{when}'}}", f"'{when}' is not a date")
            for when in ("tomorrow", "2027-01-31", "2027-01-31T12:00:00", "2027-02-30T12:00:00Z", "")
        ),
    ],
)  # fmt: skip
def test_an_error_has_file_line_and_remedy(tmp_path, text, says):
    refused = refusal(tmp_path, text)
    assert re.match(rf"{tmp_path}/a\.yaml:[0-9]+: ", refused)
    assert says in refused
    assert "\n" not in refused
    assert VALUE not in refused


def test_two_tokens_of_one_value_are_refused_with_a_place(tmp_path):
    token = f"kind: Token\nmetadata: {{name: %s}}\nspec: {{username: bob, value: {VALUE}}}\n"
    refused = refusal(tmp_path, f"{GOOD}{token % 't'}---\n{token % 'u'}")
    assert refused.startswith(f"{tmp_path}/a.yaml:12: the Tokens 't' and 'u' have the same value")
    assert VALUE not in refused


def test_warnings_name_file_and_line_in_the_order_of_the_lines(tmp_path):
    write(tmp_path, RULES.replace(", expiresAt: '2027-01-31T12:00:00Z'", "").replace("'^$', ", "'^a/b$', "))
    (tmp_path / "a.yaml").chmod(0o600)
    documents = read_documents([tmp_path])
    warnings = warnings_on(declared_of(documents, ADMIN), documents, 0.0)
    assert [warning.partition(": ")[0] for warning in warnings] == [
        f"{tmp_path}/a.yaml:{line}" for line in (20, 22, 24)
    ]
    assert VALUE not in str(warnings)
    few = load_documents((tmp_path,), ADMIN).warnings
    assert [warning.split("'")[1] for warning in few] == ["deploy", "deploy"]


def test_loading_for_a_worker_logs_nothing(tmp_path, caplog):
    load(tmp_path, RULES.replace(", expiresAt: '2027-01-31T12:00:00Z'", ""))
    assert caplog.records == []
