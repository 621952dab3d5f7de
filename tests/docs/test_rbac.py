"""The guide is correct: its documents load, its patterns match as described, and its output is the real one."""

import re

import pytest

from simple_registry.access.scopes import ScopePattern
from simple_registry.cli.main import main
from simple_registry.config.load import load_access
from support.sources import ROOT

GUIDE = (ROOT / "docs/rbac.md").read_text("utf-8")
YAML = re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
FIRST, ANONYMOUS, ORIGINAL, TABLE = YAML
HASH = "$2b$12$ibNQSO1AOGCdBgD.1Lz6jOEwvPFiM/UttzOVJtManJJZhCeQRZkjS"
READONLY = (
    "---\nkind: Role\nmetadata: {name: readonly}\nspec: {resources: [catalog, blobs, manifests], verbs: [pull]}\n"
)

MEANS = {
    "^$": ([""], ["a", "a:1"]),
    "^.+$": (["a", "a:1", "a/b"], [""]),
    "^.*$": (["", "a", "a:1"], []),
    "^library/.+$": (["library/a", "library/a/b:1"], ["", "library", "libraryx/a", "x/library/a"]),
    "^team/[^/]+$": (["team/a", "team/a:v1"], ["team/a/b", "team/a/b:v1", "team"]),
    "^team/app(:.+)?$": (["team/app", "team/app:v1"], ["team/apps", "team/apps:v1", "team/app/x"]),
    "^team/app(:v.+)?$": (["team/app", "team/app:v1"], ["team/app:latest", "team/app:v"]),
    "^team/app(:latest)?$": (["team/app", "team/app:latest"], ["team/app:v1", "team/app:latest2"]),
    "^team/(web|api)(:.+)?$": (["team/web", "team/api:1"], ["team/app", "team/webapi"]),
    "^team/app:v.+$": (["team/app:v1"], ["team/app", "team/app:1"]),
    "^team/app$": (["team/app"], ["team/app:v1"]),
    "team": (["team", "other/steam:1", "x:team"], ["tea"]),
}


def load(directory, text):
    (directory / "rules.yaml").write_text(text.replace("$2b$12$…", HASH))
    return load_access([directory])


def test_every_pattern_of_the_guide_matches_as_described():
    section = GUIDE.partition("| pattern | matches |")[2].partition("\n\n")[0]
    shown = [pattern.replace(r"\|", "|") for pattern in re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)]
    assert shown == list(MEANS)
    for text, (matched, unmatched) in MEANS.items():
        pattern = ScopePattern(text)
        assert [scope for scope in matched if not pattern.matches(scope)] == []
        assert [scope for scope in unmatched if pattern.matches(scope)] == []


def test_patterns_of_the_recipes_are_valid():
    shown = re.findall(r"`(\^[^`]*\$)`", GUIDE)
    assert len(shown) > len(MEANS)
    for text in shown:
        ScopePattern(text.replace(r"\|", "|"))


def test_the_first_example_has_the_described_permissions(tmp_path, capsys):
    load(tmp_path, FIRST)
    assert main(["can-i", "-as", "alice", "push", "image", "team/app:v1", "-cfgdir", str(tmp_path)]) == 0
    assert main(["can-i", "-as", "alice", "pull", "image", "other/app:v1", "-cfgdir", str(tmp_path)]) == 1
    assert "binding 'developers-write-team'" in capsys.readouterr().out


def test_anonymous_reads_what_the_example_gives(tmp_path):
    load(tmp_path, ANONYMOUS + READONLY)
    for where, code in (("library/nginx:latest", 0), ("team/app:v1", 1)):
        assert main(["can-i", "-anonymous", "pull", "image", where, "-cfgdir", str(tmp_path)]) == code


def test_a_wrong_scope_causes_the_warning_of_the_guide(tmp_path, capsys):
    load(tmp_path, FIRST.replace("^team/.+$", "^team/app$"))
    assert main(["policy", "check", str(tmp_path)]) == 0
    assert "matches team/app, but no tag of it; write '^team/app(:.+)?$'" in capsys.readouterr().out


def test_documents_of_the_original_program_load_unchanged(tmp_path):
    load(tmp_path, ORIGINAL + "---\nkind: User\nmetadata: {name: anonymous}\nspec: {groups: [public]}\n")
    assert main(["can-i", "-anonymous", "pull", "image", "library/nginx:1", "-cfgdir", str(tmp_path)]) == 0
    assert main(["can-i", "-anonymous", "push", "image", "library/nginx:1", "-cfgdir", str(tmp_path)]) == 1


ISSUER = """
---
kind: TokenIssuer
metadata: {name: github}
spec:
  issuer: https://token.actions.githubusercontent.com
  audience: registry.example.com
  keys: {jwksURL: https://token.actions.githubusercontent.com/.well-known/jwks}
  conditions: {repository_owner: example-org}
  bindings: [{roleRef: {name: readwrite}, scopes: ["^ci/{repository}(:.+)?$"]}]
---
kind: Token
metadata: {name: deploy}
spec:
  username: alice
  value: 0123456789abcdef0123456789abcdef
  expiresAt: "2999-01-01T00:00:00Z"
  scopes: ["repository:^team/:pull"]
---
kind: RoleBinding
metadata: {name: developers-see-the-catalog}
spec: {subjects: [{kind: Group, name: developers}], roleRef: {name: readwrite}, scopes: ["^$"]}
"""


@pytest.mark.parametrize("verbs", ["[pull, push]", "[pull, push, delete]"])
def test_the_table_of_expectations_has_the_output_of_the_guide(tmp_path, capsys, verbs):
    rules, table = tmp_path / "rules", tmp_path / "expectations.yaml"
    rules.mkdir()
    load(rules, (FIRST + ISSUER).replace("[pull, push]", verbs))
    table.write_text(TABLE)
    code = main(["policy", "test", str(table), "-cfgdir", str(rules)])
    said = capsys.readouterr().out
    if "delete" not in verbs:
        assert (code, said) == (0, "7 expectations hold\n")
        return
    shown = re.search(r"^    (expectations\.yaml:\d+: alice can delete .*\n)    (1 of \d+ .*)$", GUIDE, re.MULTILINE)
    assert code == 1
    assert said == f"{tmp_path}/{shown[1]}{shown[2]}\n"
