"""`token`: the issued tokens of a data directory, whether or not a server runs."""

import asyncio
import io
import json
import os
import pwd
from datetime import UTC, datetime

import pytest

from simple_registry.access.token_secrets import ISSUED_PREFIX, token_hash
from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.cli.token import token
from simple_registry.clock import SystemClock
from simple_registry.config.values import ConfigError
from simple_registry.faults import DataDirectoryRefused
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import migrate, migrations


@pytest.fixture
def data_dir(tmp_path):
    """A data directory that a server uses at the moment."""
    directory = DataDirectory.claim(tmp_path / "data")
    migrate(directory.layout.database)
    yield tmp_path / "data"
    directory.release()


@pytest.fixture
def rows(data_dir):
    """The tokens that the server sees."""
    return rows_of(Database(str(data_dir / "registry.db")), SystemClock())


@pytest.fixture
def run(data_dir):
    def call(*words, environment=None):
        stdout, stderr = io.StringIO(), io.StringIO()
        variables = {"SIMPLE_REGISTRY_DATADIR": str(data_dir)} if environment is None else environment
        assert token(words, variables, stdout, stderr) == 0
        return stdout.getvalue(), stderr.getvalue()

    return call


def test_the_secret_is_only_printed_and_stored_as_a_hash(run, rows):
    out, err = run("create", "-user", "alice", "-description", "ci", "-expires", "30d")
    secret = out.removesuffix("\n")
    assert secret.startswith(ISSUED_PREFIX)
    assert "\n" not in secret
    row = asyncio.run(rows.tokens.find_token(token_hash(secret)))
    assert (row.owner, row.description, row.scopes) == ("alice", "ci", None)
    assert row.expires == pytest.approx(row.created + 30 * 86400, abs=5)
    assert row.token_id in err
    assert secret not in err


@pytest.mark.parametrize("form", ["-{}={}", "--{}={}", "-{} {}", "--{} {}"])
def test_options_work_with_one_dash_and_two(run, rows, form):
    words = [*form.format("user", "bob").split(), *form.format("expires", "2h").split()]
    out, _ = run("create", *words)
    assert asyncio.run(rows.tokens.find_token(token_hash(out.strip()))).owner == "bob"


def test_scopes_are_kept_as_written(run, rows):
    scopes = ["repository:^team/.+$:pull,push", "registry:catalog:*"]
    out, _ = run("create", "-user", "a", "-expires", "1d", "-scope", scopes[0], "-scope", scopes[1])
    assert asyncio.run(rows.tokens.find_token(token_hash(out.strip()))).scopes == tuple(scopes)


def test_an_expiry_may_be_a_date(run, rows):
    out, _ = run("create", "-user", "a", "-expires", "2999-01-31T12:00:00+01:00")
    assert datetime.fromtimestamp(
        asyncio.run(rows.tokens.find_token(token_hash(out.strip()))).expires, UTC
    ).isoformat() == ("2999-01-31T11:00:00+00:00")


def test_a_token_without_expiry_gets_a_warning(run):
    assert "never expires" in run("create", "-user", "a")[1]
    assert "warning" not in run("create", "-user", "a", "-expires", "1d")[1]


def test_an_unknown_user_gets_a_warning(run, tmp_path):
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg" / "users.yaml").write_text("kind: User\nmetadata: {name: alice}\nspec: {}\n")
    words = ["-cfgdir", str(tmp_path / "cfg"), "-expires", "1d"]
    assert "warning" not in run("create", "-user", "alice", *words)[1]
    assert "no User document names 'bob'" in run("create", "-user", "bob", *words)[1]


def test_an_invalid_document_creates_no_token(run, tmp_path, rows):
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg" / "users.yaml").write_text("kind: [")
    with pytest.raises(ConfigError):
        run("create", "-user", "alice", "-cfgdir", str(tmp_path / "cfg"))
    assert not asyncio.run(rows.tokens.page_tokens(None, None, 9))


def test_tokens_are_listed_in_a_table(run):
    assert run("list")[0].split() == ["ID", "OWNER", "CREATED", "EXPIRES", "LAST", "USED", "SCOPES", "DESCRIPTION"]
    run("create", "-user", "alice", "-description", "the first", "-expires", "1d")
    run("create", "-user", "bob-with-a-long-name", "-scope", "repository:^x$:pull")
    header, first, second = run("list")[0].splitlines()
    column = header.index("CREATED")
    assert first[column : column + 2] == second[column : column + 2] == "20"
    assert first.endswith("the first")
    assert "repository:^x$:pull" in second
    assert "never" in second
    assert len(run("list", "-user", "alice")[0].splitlines()) == 2


def test_tokens_are_listed_as_json_without_anything_secret(run):
    secret = run("create", "-user", "alice", "-expires", "1d")[0].strip()
    out, _ = run("list", "-json")
    (listed,) = json.loads(out)
    assert set(listed) == {"id", "owner", "description", "created", "expires", "scopes", "lastUsed"}
    assert secret not in out
    assert token_hash(secret).hex() not in out
    assert json.loads(run("list", "--json", "--user=nobody")[0]) == []


def test_a_revoked_token_is_invalid_for_a_running_server_at_once(run, rows):
    secret = run("create", "-user", "alice", "-expires", "1d")[0].strip()
    row = asyncio.run(rows.tokens.find_token(token_hash(secret)))
    out, err = run("revoke", row.token_id)
    assert out == ""
    assert row.token_id in err
    assert asyncio.run(rows.tokens.find_token(token_hash(secret))) is None
    with pytest.raises(UsageError, match="token unknown"):
        run("revoke", row.token_id)


def test_all_tokens_of_a_user_are_revoked_at_once(run, rows):
    secrets = [run("create", "-user", user, "-expires", "1d")[0].strip() for user in ("alice", "alice", "bob")]
    ids = [asyncio.run(rows.tokens.find_token(token_hash(secret))).token_id for secret in secrets]
    _, err = run("revoke", "-user", "alice")
    assert err.splitlines() == [f"token {token_id} of alice is revoked" for token_id in ids[:2]]
    assert [row.owner for row in asyncio.run(rows.tokens.page_tokens(None, None, 9))] == ["bob"]
    assert run("revoke", "-user", "alice") == ("", "alice has no tokens\n")


def audited(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(line.pop("time") for line in lines)
    return lines


@pytest.mark.parametrize("how", ["option", "variable", "document"])
def test_changes_of_the_command_are_in_the_audit_log(run, rows, tmp_path, data_dir, how):
    log, words, environment = tmp_path / "audit.jsonl", [], {"SIMPLE_REGISTRY_DATADIR": str(data_dir)}
    match how:
        case "option":
            words = ["-audit-log", str(log)]
        case "variable":
            environment["SIMPLE_REGISTRY_AUDIT_LOG"] = str(log)
        case _:
            (tmp_path / "cfg").mkdir()
            (tmp_path / "cfg" / "c.yaml").write_text(
                f"kind: Configuration\nmetadata: {{name: a}}\nspec: {{log: {{audit: {log}}}}}\n"
            )
            environment["SIMPLE_REGISTRY_CFGDIR"] = str(tmp_path / "cfg")
    secret = run("create", "-user", "alice", *words, environment=environment)[0].strip()
    token_id = asyncio.run(rows.tokens.find_token(token_hash(secret))).token_id
    run("list", *words, environment=environment)
    run("revoke", token_id, *words, environment=environment)
    run("create", "-user", "bob", *words, environment=environment)
    run("revoke", "-user", "bob", *words, environment=environment)
    lines = audited(log)
    assert [(line["event"], line["owner"]) for line in lines] == [
        ("token.create", "alice"),
        ("token.revoke", "alice"),
        ("token.create", "bob"),
        ("token.revoke", "bob"),
    ]
    system_user = pwd.getpwuid(os.geteuid()).pw_name
    assert (
        lines[0]
        == lines[1] | {"event": "token.create"}
        == {
            "event": "token.create",
            "decision": "allowed",
            "proof": "command",
            "credential": system_user,
            "token": token_id,
            "owner": "alice",
        }
    )
    assert secret not in log.read_text()


def test_an_unreachable_audit_log_gets_a_warning(run):
    assert "is not in it" in run("create", "-user", "alice", "-expires", "1d", "-audit-log", "-")[1]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["make"],
        ["create"],
        ["create", "alice"],
        ["create", "-user", "alice", "x"],
        ["create", "-user", "alice", "-expires", "soon"],
        ["create", "-user", "alice", "-expires", "0"],
        ["create", "-user", "alice", "-expires", "2020-01-01T00:00:00Z"],
        ["create", "-user", "alice", "-expires", "99999999999w"],
        ["create", "-user", "alice", "-scope", "team/app"],
        ["create", "-user", "alice", "-scope", "repository:(:pull"],
        ["create", "-user", "alice", "-description", "x" * 201],
        ["create", "-user", "alice", "-secret", "x"],
        ["list", "x"],
        ["revoke"],
        ["revoke", "a", "b"],
        ["revoke", "a", "-user", "alice"],
    ],
)
def test_an_invalid_command_is_refused_and_changes_nothing(run, rows, words):
    with pytest.raises(UsageError):
        run(*words)
    assert not asyncio.run(rows.tokens.page_tokens(None, None, 9))


@pytest.mark.parametrize("name", ["", "a:b", "anonymous", "x\n"])
def test_a_name_that_no_user_can_have_is_refused(run, name):
    with pytest.raises((ConfigError, UsageError)):
        run("create", "-user", name)


def test_another_directory_is_refused_and_nothing_is_created(run, tmp_path):
    (tmp_path / "other").mkdir()
    for name in ("none", "other"):
        with pytest.raises(DataDirectoryRefused, match="not a data directory"):
            run("create", "-user", "a", "-datadir", str(tmp_path / name))
    assert not (tmp_path / "none").exists()
    assert os.listdir(tmp_path / "other") == []


def test_a_database_of_another_version_is_refused(run, data_dir, rows):
    import apsw

    connection = apsw.Connection(str(data_dir / "registry.db"))
    connection.execute(f"PRAGMA user_version = {len(migrations()) - 1}")
    with pytest.raises(DataDirectoryRefused, match="start the server of this version first"):
        run("create", "-user", "a")
    connection.close()


def test_the_directory_may_come_from_the_configuration(run, data_dir, tmp_path, rows):
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg" / "c.yaml").write_text(
        f"kind: Configuration\nmetadata: {{name: a}}\nspec: {{dataDir: {data_dir}}}\n"
    )
    run("create", "-user", "a", environment={"SIMPLE_REGISTRY_CFGDIR": str(tmp_path / "cfg")})
    assert len(asyncio.run(rows.tokens.page_tokens(None, None, 9))) == 1


def test_help_succeeds(run):
    assert "token create -user" in run("-help")[0]
    assert "token create -user" in run("create", "--help")[0]


def test_the_command_is_reached_through_main(data_dir, capsys):
    assert main(["token", "create", "-user", "a", "-expires", "1d", "-datadir", str(data_dir)]) == 0
    assert capsys.readouterr().out.startswith(ISSUED_PREFIX)
    assert main(["token", "create"]) == 2
    assert main(["-datadir", str(data_dir), "token"]) == 2
    assert "write the command first" in capsys.readouterr().err
