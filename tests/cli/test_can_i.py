"""`can-i`: yes or no, the binding that decided, and an exit code for scripts."""

import asyncio
import io
import json
import time

import pytest

from simple_registry.access.roles import User
from simple_registry.access.token_secrets import new_token, token_hash
from simple_registry.cli.can_i import can_i
from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.clock import SystemClock
from simple_registry.config.values import ConfigError
from simple_registry.faults import DataDirectoryRefused
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.records import TokenRow
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import migrate
from support.access import PASSWORD_HASH
from support.issuing import RSA, encode, public_pem

VALUE = "a-token-that-is-long-enough-for-this"
RULES = f"""\
kind: User
metadata: {{name: bob}}
spec: {{groups: [team]}}
---
kind: Role
metadata: {{name: readonly}}
spec: {{resources: [catalog, blobs, manifests], verbs: [pull]}}
---
kind: RoleBinding
metadata: {{name: team-reads}}
spec: {{subjects: [{{kind: Group, name: team}}], roleRef: {{name: readonly}}, scopes: ['^team/app(:v.+)?$']}}
---
kind: Token
metadata: {{name: narrow}}
spec: {{username: bob, value: {VALUE}, scopes: ['repository:^team/app:v1$:pull'], expiresAt: '2999-01-01T00:00:00Z'}}
---
kind: Token
metadata: {{name: late}}
spec: {{username: bob, value: late-{VALUE}, expiresAt: '2001-01-01T00:00:00Z'}}
---
kind: TokenIssuer
metadata: {{name: ci}}
spec:
  issuer: https://ci.example
  audience: registry
  keys: {{pem: [{public_pem(RSA)!r}]}}
  conditions: {{owner: acme}}
  bindings: [{{roleRef: {{name: readonly}}, scopes: ['^ci/{{project}}$']}}]
"""
ANONYMOUS = "kind: User\nmetadata: {name: anonymous}\nspec: {groups: [team]}\n"


@pytest.fixture
def rules(tmp_path):
    directory = tmp_path / "rules"
    directory.mkdir()
    (directory / "a.yaml").write_text(RULES.replace("'-----BEGIN", '"-----BEGIN').replace("-----\\n'", '-----\\n"'))
    return directory


@pytest.fixture
def ask(rules):
    def call(*words, environment=None):
        stdout = io.StringIO()
        variables = {"SIMPLE_REGISTRY_CFGDIR": str(rules)} if environment is None else environment
        code = can_i(words, variables, stdout)
        return code, stdout.getvalue()

    return call


def test_yes_names_the_binding_that_decided(ask):
    assert ask("--as", "bob", "pull", "manifests", "team/app:v1") == (
        0,
        "yes\n  yes GET manifests team/app:v1: binding 'team-reads'\n",
    )


def test_no_names_the_nearest_binding_that_did_not(ask):
    code, said = ask("-as", "bob", "pull", "image", "team/app:latest")
    assert code == 1
    assert said.startswith(
        "no\n  no  GET manifests team/app:latest: binding 'team-reads' allows GET on manifests, but none"
    )
    assert "\n  yes GET blobs team/app: binding 'team-reads'\n" in said
    assert "does not allow DELETE" in ask("-as", "bob", "delete", "manifests", "team/app")[1]
    assert "no binding gives bob anything" in ask("-as", "bob", "push", "blobs", "other")[1]


@pytest.mark.parametrize("words", [["-as=bob"], ["--as=bob"], ["-as", "bob"], ["--as", "bob"]])
def test_options_have_one_dash_or_two_at_any_position(ask, rules, words):
    assert ask(*words, "pull", "blobs", "team/app")[0] == 0
    assert ask("pull", "blobs", *words, "team/app")[0] == 0
    assert ask("pull", "blobs", "team/app", "-cfgdir", str(rules), *words, environment={})[0] == 0


def test_without_an_anonymous_user_credentials_are_required(ask, rules):
    assert ask("-anonymous", "pull", "blobs", "team/app") == (
        1,
        "no\n  there is no User 'anonymous': credentials are required\n",
    )
    (rules / "b.yaml").write_text(ANONYMOUS)
    assert ask("-anonymous", "pull", "blobs", "team/app")[0] == 0


@pytest.fixture
def token_file(tmp_path):
    def write(text):
        (tmp_path / "token").write_text(f"{text}\n")
        return str(tmp_path / "token")

    return write


def test_a_token_of_a_document_has_its_own_limits(ask, token_file):
    file = token_file(VALUE)
    assert ask("-token-file", file, "pull", "manifests", "team/app:v1")[0] == 0
    code, said = ask("-token-file", file, "pull", "manifests", "team/app:v2")
    assert code == 1
    assert "but the token's scopes do not" in said
    assert VALUE not in said


def test_an_expired_token_may_do_nothing(ask, token_file):
    assert ask("--token-file", token_file(f"late-{VALUE}"), "pull", "blobs", "team/app") == (
        1,
        "no\n  the token has expired\n",
    )


def test_an_unknown_token_may_do_nothing_and_is_not_shown(ask, token_file):
    code, said = ask("-token-file", token_file("some-unknown-token"), "pull", "blobs", "team/app")
    assert code == 1
    assert "no Token document has this value, and it is not a JWT" in said
    assert "some-unknown-token" not in said


def jwt(**claims):
    now = int(time.time())
    usual = {"iss": "https://ci.example", "aud": "registry", "iat": now - 7200, "exp": now + 60}
    return ".".join([*(encode(json.dumps(part).encode()) for part in ({"alg": "RS256"}, usual | claims)), "c2ln"])


def test_claims_of_a_jwt_are_used_without_its_signature(ask, token_file):
    file = token_file(jwt(sub="job", owner="acme", project="app"))
    assert ask("-token-file", file, "pull", "blobs", "ci/app")[0] == 0
    assert ask("-token-file", file, "pull", "blobs", "ci/other")[0] == 1


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"owner": "eve"}, "TokenIssuer ci: the claims do not meet its conditions"),
        ({"iss": "https://other"}, "no TokenIssuer document names its issuer 'https://other'"),
        ({"aud": "other"}, "TokenIssuer ci: for another audience"),
        ({"exp": int(time.time()) - 600}, "the token has expired"),
    ],
)
def test_a_jwt_with_invalid_claims_may_do_nothing(ask, token_file, claims, says):
    file = token_file(jwt(**{"sub": "job", "owner": "acme", "project": "app"} | claims))
    code, said = ask("-token-file", file, "pull", "blobs", "ci/app")
    assert code == 1
    assert said.startswith(f"no\n  {says}")


@pytest.fixture
def data_dir(tmp_path):
    """A data directory that a server uses at the moment."""
    directory = DataDirectory.claim(tmp_path / "data")
    migrate(directory.layout.database)
    yield tmp_path / "data"
    directory.release()


def test_issued_tokens_are_found_while_a_server_runs(ask, token_file, data_dir):
    secrets = [new_token() for _ in range(4)]

    async def issue():
        rows = rows_of(Database(str(data_dir / "registry.db")), SystemClock())
        for number, (owner, scopes, expires) in enumerate(
            [("bob", None, None), ("bob", ("repository:^other:pull",), None), ("gone", None, None), ("bob", None, 1.0)]
        ):
            row = TokenRow(f"{number}", token_hash(secrets[number]), owner, "", 0.0, expires, scopes, None)
            assert await rows.tokens.add_token(row, limit=10)
        await rows.close()

    asyncio.run(issue())
    words = ("pull", "blobs", "team/app", "-datadir", str(data_dir))
    found = [ask("-token-file", token_file(secret), *words) for secret in (*secrets, new_token())]
    assert [code for code, _ in found] == [0, 1, 1, 1, 1]
    says = ["binding", "the token's scopes do not", "owner 'gone' is not a User", "has expired", "the token is unknown"]
    assert all(text in said for text, (_, said) in zip(says, found, strict=True))


def test_an_issued_token_ends_with_the_password_with_which_it_was_made(ask, token_file, data_dir, rules):
    secret = new_token()

    async def issue():
        rows = rows_of(Database(str(data_dir / "registry.db")), SystemClock())
        made_with = User("bob", password_hash=PASSWORD_HASH).fingerprint
        assert await rows.tokens.add_token(
            TokenRow("1", token_hash(secret), "bob", "", 0.0, None, None, made_with), limit=1
        )
        await rows.close()

    asyncio.run(issue())
    words = ("-token-file", token_file(secret), "pull", "blobs", "team/app", "-datadir", str(data_dir))
    code, said = ask(*words)
    assert (code, "was changed or removed" in said) == (1, True)
    document = rules / "a.yaml"
    document.write_text(
        document.read_text().replace("{groups: [team]}", f"{{groups: [team], passwordHash: '{PASSWORD_HASH}'}}", 1)
    )
    assert ask(*words)[0] == 0


def test_a_limited_token_reads_what_is_public(ask, token_file, rules):
    words = ("-token-file", token_file(VALUE), "pull", "blobs", "team/app")
    assert ask(*words)[0] == 1
    (rules / "anonymous.yaml").write_text(ANONYMOUS)
    assert ask(*words)[0] == 0


def test_an_issued_token_needs_the_data_directory(ask, token_file, tmp_path):
    with pytest.raises(UsageError, match="give the server's -datadir"):
        ask("-token-file", token_file(new_token()), "pull", "blobs", "team/app")
    with pytest.raises(DataDirectoryRefused):
        ask("-token-file", token_file(new_token()), "pull", "blobs", "team/app", "-datadir", str(tmp_path))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pull", "blobs", "a"], "exactly one of -as, -token-file and -anonymous is"),
        (
            ["-as", "bob", "-anonymous", "pull", "blobs", "a"],
            "exactly one of -as, -token-file and -anonymous is required",
        ),
        (["-as", "bop", "pull", "blobs", "a"], "no User document names 'bop'; did you mean 'bob'"),
        (["-as", "bob"], "write VERB RESOURCE"),
        (["-as", "bob", "fetch", "blobs", "a"], "'fetch' is not a verb"),
        (["-user", "bob", "pull", "blobs", "a"], "see 'simple-registry can-i -help'"),
    ],
)
def test_a_wrong_question_is_refused(ask, words, says):
    with pytest.raises(UsageError, match=says.replace("?", r"\?")):
        ask(*words)


def test_documents_must_be_given_and_must_load(ask, rules, capsys):
    with pytest.raises(UsageError, match="-cfgdir is required"):
        ask("-as", "bob", "pull", "blobs", "a", environment={})
    (rules / "b.yaml").write_text("kind: Usr\n")
    with pytest.raises(ConfigError, match=r"b.yaml:1: "):
        ask("-as", "bob", "pull", "blobs", "a")
    assert main(["can-i", "-as", "bob", "pull", "blobs", "a", "-cfgdir", str(rules)]) == 2
    assert capsys.readouterr().err.startswith(f"simple-registry: {rules}/b.yaml:1: ")


def test_help_and_the_command_after_its_options(capsys):
    assert main(["can-i", "-help"]) == 0
    assert "-token-file FILE" in capsys.readouterr().out
    assert main(["-datadir", "x", "can-i"]) == 2
    assert "write the command first" in capsys.readouterr().err
