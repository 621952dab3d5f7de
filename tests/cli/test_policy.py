"""`policy check`, `test` and `diff`: what they print, and exit codes for people's continuous integration."""

import asyncio
import io

import pytest

from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.cli.policy import policy
from simple_registry.clock import SystemClock
from simple_registry.config.values import ConfigError
from simple_registry.faults import DataDirectoryRefused
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.records import ManifestRow, Place
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import migrate
from support.access import PASSWORD_HASH
from support.actors import ACTOR

RULES = f"""\
kind: User
metadata: {{name: bob}}
spec: {{groups: [team], passwordHash: {PASSWORD_HASH}}}
---
kind: Role
metadata: {{name: readonly}}
spec: {{resources: [catalog, blobs, manifests], verbs: [pull]}}
---
kind: RoleBinding
metadata: {{name: team}}
spec:
  subjects: [{{kind: Group, name: team}}]
  roleRef: {{name: readonly}}
  scopes:
  - ^team/.*$
"""


NEAREST = "binding 'team' allows GET on blobs, but none of its scopes matches other"


def run(*words, environment=None):
    stdout = io.StringIO()
    code = policy([str(word) for word in words], environment or {}, stdout)
    return code, stdout.getvalue()


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.yaml").write_text(RULES)
    return tmp_path / "rules"


def test_documents_that_load_are_counted(rules):
    code, said = run("check", rules)
    assert code == 0
    assert said == "the documents load: 1 user, 1 role, 1 binding, 0 tokens, 0 issuers; 0 warnings\n"


def test_an_invalid_document_is_an_error_with_file_and_line(rules):
    (rules / "b.yaml").write_text("kind: Role\nmetadata: {name: x}\nspec: {resources: [layers], verbs: [pull]}\n")
    code, said = run("check", rules)
    assert code == 1
    assert said.startswith(f"error: {rules}/b.yaml:3: spec.resources[0] is wrong: 'layers' is not a resource")
    assert said.count("\n") == 1


def test_configuration_documents_are_checked_too(rules):
    (rules / "b.yaml").write_text("kind: Configuration\nmetadata: {name: x}\nspec: {web: {tokenTimeout: 1s}}\n")
    assert run("check", rules)[1].startswith(f"warning: {rules}/b.yaml:3: spec.web.tokenTimeout is 1s, but")
    (rules / "b.yaml").write_text("kind: Configuration\nmetadata: {name: x}\nspec: {web: {addr: x}}\n")
    assert run("check", rules)[0] == 1


def test_directories_are_checked_together(rules, tmp_path):
    (tmp_path / "more").mkdir()
    binding = "{subjects: [{kind: User, name: bob}], roleRef: {name: readonly}, scopes: ['^a$']}"
    (tmp_path / "more/b.yaml").write_text(f"kind: RoleBinding\nmetadata: {{name: b}}\nspec: {binding}\n")
    assert run("check", tmp_path / "more")[0] == 1
    code, said = run("check", rules, tmp_path / "more")
    assert code == 0
    assert f"warning: {tmp_path}/more/b.yaml:3: the RoleBinding 'b' '^a$' matches a, but no tag of it" in said
    assert said.endswith("; 1 warning\n")


def test_an_absent_directory_is_an_error(tmp_path):
    assert run("check", tmp_path / "absent") == (
        1,
        f"error: -cfgdir {tmp_path}/absent: this directory does not exist\n",
    )


# ---------------------------------------------------------------- test


@pytest.fixture
def table(tmp_path):
    def write(text, name="table.yaml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_expectations_that_hold_are_counted(rules, table):
    file = table("- as: bob\n  can: [pull image team/app:1]\n  cannot: [push image team/app:1]\n")
    assert run("test", file, "-cfgdir", rules) == (0, "2 expectations hold\n")
    assert run("test", file, environment={"SIMPLE_REGISTRY_CFGDIR": str(rules)})[0] == 0
    other = table("- {anonymous: true, cannot: [pull catalog]}\n", "other.yaml")
    assert run("test", file, other, "--cfgdir", rules) == (0, "3 expectations hold\n")
    assert run("test", other, "--cfgdir", rules) == (0, "1 expectation holds\n")


def test_expectations_that_do_not_hold_are_named_with_their_line_and_the_reason(rules, table):
    file = table(
        "- as: bob\n  can:\n  - pull blobs team/app\n  - pull blobs other\n  cannot:\n  - pull image team/app:1\n"
        "- anonymous: true\n  can: [pull blobs team/app]\n"
    )
    code, said = run("test", file, "-cfgdir", rules)
    assert code == 1
    assert said.splitlines() == [
        f"{file}:4: bob cannot pull blobs other: GET blobs other: {NEAREST}",
        f"{file}:6: bob can pull image team/app:1, but should not: binding 'team'",
        f"{file}:8: anonymous cannot pull blobs team/app: these credentials are rejected",
        "3 of 4 expectations failed",
    ]


def test_a_table_that_cannot_be_read_does_not_count_as_a_failed_expectation(rules, table, tmp_path, capsys):
    for file, says in ((table("- as: bop\n  can: []\n"), r"table.yaml:1: "), (tmp_path / "absent", "cannot read")):
        with pytest.raises(ConfigError, match=says):
            run("test", file, "-cfgdir", rules)
    with pytest.raises(ConfigError, match="contains no expectations"):
        run("test", table("[]\n"), "-cfgdir", rules)
    assert main(["policy", "test", str(tmp_path / "absent"), "-cfgdir", str(rules)]) == 2
    assert "cannot read" in capsys.readouterr().err


# ---------------------------------------------------------------- diff


@pytest.fixture
def changed(rules, tmp_path):
    (tmp_path / "new").mkdir()
    text = RULES.replace("^team/.*$", "^team/app(:v.+)?$").replace("verbs: [pull]", "verbs: [pull, push]")
    (tmp_path / "new/a.yaml").write_text(text)
    return tmp_path / "new"


def test_without_a_data_directory_names_are_made_from_the_patterns(rules, changed):
    code, said = run("diff", rules, changed)
    assert code == 0
    assert said.splitlines()[0] == "compared over the catalog and example names made from the patterns (5)"
    assert said.splitlines()[1:6] == [
        "User bob",
        "  + push blobs manifests on team/app",
        "  + push manifests on team/app:vexample",
        "  - pull manifests on team/app:latest, team/example:latest",
        "  - pull blobs manifests tags referrers on team/example",
    ]
    assert "Group team" in said


def test_the_same_documents_change_nothing(rules):
    assert run("diff", rules, rules)[1].endswith("\nno user or group gains or loses anything there\n")


@pytest.fixture
def data_dir(tmp_path):
    """A data directory that a server uses at the moment, with a few repositories and tags."""
    directory = DataDirectory.claim(tmp_path / "data")
    migrate(directory.layout.database)

    async def fill():
        rows = rows_of(Database(directory.layout.database), SystemClock())
        digest = digest_of(b"{}")
        for repository in ("team/app", "team/tool", "other"):
            row = ManifestRow(digest, 2, "application/json", None, b"{}", None, ())
            tags = [f"{letter}{number}" for letter in "dv" for number in range(10)]
            await rows.manifests.put_manifest(
                repository, row, tags=tags, parts=(), place=Place(""), removals=0, actor=ACTOR
            )
        await rows.close()

    asyncio.run(fill())
    yield tmp_path / "data"
    directory.release()


@pytest.mark.parametrize("page", [1000, 7])
def test_permissions_are_compared_over_existing_repositories_while_a_server_runs(
    rules, changed, data_dir, monkeypatch, page
):
    monkeypatch.setattr("simple_registry.cli.policy.PAGE", page)
    code, said = run("diff", rules, changed, "-datadir", data_dir)
    assert code == 0
    lines = said.splitlines()
    assert lines[0] == f"compared over the catalog and the repositories and tags of {data_dir} (63)"
    assert "  + push blobs manifests on team/app" in lines
    assert (
        "  + push manifests on team/app:v0, " + ", ".join(f"team/app:v{n}" for n in range(1, 8)) + " and 2 more"
        in lines
    )
    assert "other" not in said


def test_a_directory_other_than_a_data_directory_is_refused(rules, changed, tmp_path):
    with pytest.raises(DataDirectoryRefused):
        run("diff", rules, changed, "-datadir", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "rules"]


def test_different_issuers_are_reported(rules, changed):
    issuer = "kind: TokenIssuer\nmetadata: {name: ci}\nspec: {issuer: i, audience: a, keys: {pem: [k]}}\n"
    (changed / "b.yaml").write_text(issuer)
    assert "TokenIssuers differ too" in run("diff", rules, changed)[1]


def test_documents_that_do_not_load_are_not_compared(rules, changed):
    (changed / "b.yaml").write_text("kind: Usr\n")
    with pytest.raises(ConfigError, match=r"b.yaml:1: "):
        run("diff", rules, changed)


@pytest.mark.parametrize(
    "words",
    [[], ["check"], ["test"], ["diff"], ["diff", "a"], ["diff", "a", "b", "c"], ["chek", "a"],
     ["check", "a", "-datadir", "b"], ["test", "a", "-datadir", "b"],
     ["diff", "a", "b", "-cfgdir", "c"], ["check", "-x"]],
)  # fmt: skip
def test_an_unknown_action_is_refused_with_the_usage(words):
    with pytest.raises(UsageError, match=r"see '(simple-registry )?policy -help'"):
        run(*words)


def test_help(capsys):
    assert main(["policy", "--help"]) == 0
    assert "policy diff OLD NEW" in capsys.readouterr().out
