"""`import-config`: documents on standard output, with comments on everything else; the output passes the checks."""

import io

import pytest

from simple_registry.cli.config import config
from simple_registry.cli.import_config import import_config
from simple_registry.cli.options import UsageError
from simple_registry.cli.policy import policy
from simple_registry.config.values import ConfigError
from support.importing import BCRYPT

DISTRIBUTION = """\
version: 0.1
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
auth: {htpasswd: {realm: r, path: /auth/htpasswd}}
http:
  addr: 127.0.0.1:5000
  secret: hush
"""
ZOT = """\
{"storage": {"rootDirectory": "/var/lib/zot"},
 "http": {"port": "5000", "auth": {"htpasswd": {"path": "/nowhere"}}, "accessControl": {"repositories": {
   "**": {"defaultPolicy": ["read"]},
   "team/**": {"policies": [{"users": ["alice"], "actions": ["read", "create"]}]},
   "bob\\nkind: User": {"defaultPolicy": ["read"]}
 }}}}
"""


def run(*words):
    stdout, stderr = io.StringIO(), io.StringIO()
    code = import_config([str(word) for word in words], stdout, stderr)
    return code, stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.yml").write_text(DISTRIBUTION)
    (tmp_path / "config.json").write_text(ZOT)
    (tmp_path / "htpasswd").write_text(f"alice:{BCRYPT}\nbob:$apr1$x$y\n")
    (tmp_path / "etc").mkdir()
    return tmp_path


def test_documents_and_comments_are_printed(folder):
    code, said, summary = run(folder / "config.yml", "-htpasswd", folder / "htpasswd")
    lines = said.splitlines()
    assert code == 0
    assert lines[0] == "# Made by 'simple-registry import-config' from the configuration of distribution."
    assert "# - take over its content: 'simple-registry adopt' and this directory" in lines
    assert f"#     storage.filesystem.rootdirectory ({folder}/config.yml:3)" in lines
    assert f"#     auth.htpasswd.path ({folder}/config.yml:5)" in lines
    assert f"  passwordHash: {BCRYPT}" in lines
    assert any(line.startswith(f"# {folder}/htpasswd:2: an MD5 hash") for line in lines)
    assert "hush" not in said
    assert summary == "distribution: 3 values translated, 4 without a counterpart: see the comments\n"


@pytest.mark.parametrize("name", ["config.yml", "config.json"])
def test_the_output_passes_the_checks(folder, name):
    _, said, _ = run(folder / name, "-htpasswd", folder / "htpasswd")
    (folder / "etc/imported.yaml").write_text(said)
    for check in (
        policy(["check", str(folder / "etc")], {}, io.StringIO()),
        config(["check", "-cfgdir", str(folder / "etc")], {}, io.StringIO()),
    ):
        assert check == 0


def test_control_characters_cannot_end_a_comment(folder):
    said = run(folder / "config.json")[1]
    assert not [line for line in said.splitlines() if line.startswith("kind: User") and "bob" in line]
    assert said.count("\nkind: User\n") == 1


def test_what_a_pattern_leaves_out_is_said(folder):
    lines = run(folder / "config.json")[1].splitlines()
    assert "# without what these match: team/**" in lines


def test_variables_may_be_all_there_is(folder):
    (folder / "env").write_text("REGISTRY_HTTP_ADDR=127.0.0.1:5443\n")
    code, said, _ = run("-env", folder / "env")
    assert code == 0
    assert "web: {addr: '127.0.0.1:5443'}" in said


def test_help_is_printed():
    assert run("-help")[1].startswith("usage: simple-registry import-config [FILE]")


@pytest.mark.parametrize("words", [[], ["-htpasswd", "x"], ["a", "b"], ["-x"]])
def test_wrong_arguments_are_refused(words):
    with pytest.raises(UsageError):
        run(*words)


def test_a_file_that_is_no_configuration_is_refused(folder):
    with pytest.raises(ConfigError):
        run(folder / "htpasswd")
