"""`config show` and `config check`: what they print, and exit codes."""

import io
import json
import time
from types import SimpleNamespace

import pytest

from harness.certificates import issue
from simple_registry.cli.config import config
from simple_registry.cli.options import UsageError
from simple_registry.config.values import ConfigError


def run(*words, environment=None):
    stdout = io.StringIO()
    code = config([str(word) for word in words], environment or {}, stdout)
    return code, stdout.getvalue()


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/a.yaml").write_text(
        "kind: Configuration\nmetadata: {name: a}\nspec:\n  limits: {manifestSize: 8MiB}\n"
    )
    return tmp_path / "etc"


def test_settings_are_shown_with_their_origins(directory):
    code, said = run("show", "-addr", "127.0.0.1:1", "-cfgdir", directory, environment={"SIMPLE_REGISTRY_WORKERS": "3"})
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines()}
    assert code == 0
    assert rows["SETTING"] == ["VALUE", "FROM"]
    assert rows["web.addr"] == ["127.0.0.1:1", "-addr"]
    assert rows["-workers"] == ["3", "SIMPLE_REGISTRY_WORKERS"]
    assert rows["limits.manifestSize"] == ["8MiB", f"{directory}/a.yaml:4"]
    assert rows["limits.sessions"] == ["10000", "default"]
    assert rows["-cfgdir"] == [str(directory), "-cfgdir"]


def test_the_directories_may_come_from_the_variable(directory):
    said = run("show", environment={"SIMPLE_REGISTRY_CFGDIR": str(directory)})[1]
    assert said.splitlines()[1].split() == ["-cfgdir", str(directory), "SIMPLE_REGISTRY_CFGDIR"]


def test_json_has_values_and_origins(directory):
    found = {each["name"]: each for each in json.loads(run("show", "-json", "-cfgdir", directory)[1])["settings"]}
    assert found["limits.manifestSize"] == {
        "name": "limits.manifestSize",
        "values": ["8MiB"],
        "origin": {"layer": "document", "place": f"{directory}/a.yaml:4"},
    }
    assert found["web.externalURL"] == {
        "name": "web.externalURL",
        "values": [],
        "origin": {"layer": "default", "place": ""},
    }


@pytest.mark.parametrize("words", [["show"], ["show", "-json"]])
def test_no_secret_is_shown(words, directory):
    (directory / "b.yaml").write_text(
        f"kind: Configuration\nmetadata: {{name: b}}\nspec: {{web: {{tokenSecret: {'s' * 40}}}}}\n"
    )
    said = run(*words, "-cfgdir", directory, "-adminpwd", "sesame-sesame")[1]
    assert "***" in said
    assert "sesame" not in said
    assert "ssss" not in said


def test_a_configuration_that_would_start_is_checked_with_the_warnings_of_a_start(directory):
    code, said = run("check", "-cfgdir", directory)
    assert code == 0
    assert said.startswith("warning: passwords and content travel unencrypted")
    assert said.endswith("the documents load: 0 users, 0 roles, 0 bindings, 0 tokens, 0 issuers; 1 warning\n")
    assert run("check", "-addr", "127.0.0.1:1", "-cfgdir", directory)[1].endswith("; 0 warnings\n")


def test_a_check_warns_of_a_certificate_that_ends_soon(directory, tmp_path, monkeypatch):
    files = issue(tmp_path)
    words = ("check", "-addr", "127.0.0.1:1", "-cfgdir", directory, "-cert", files.certificate, "-key", files.key)
    files.key.chmod(0o600)
    assert run(*words)[1].endswith("; 0 warnings\n")
    later = time.time() + 20 * 3600
    monkeypatch.setattr("simple_registry.cli.config.time", SimpleNamespace(time=lambda: later))
    assert "UTC, in 3 hours; renew it" in run(*words)[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-addr", "x"], "error: -addr: 'x' is not an address"),
        (["-cert", "absent", "-key", "absent"], "error: cannot read the certificate absent"),
        (["-adminpwd-file", "absent"], "error: cannot read the password file absent"),
        (["-cfgdir", "absent"], "error: -cfgdir absent: this directory does not exist"),
    ],
)
def test_what_would_stop_a_start_is_an_error(words, says):
    code, said = run("check", *words)
    assert code == 1
    assert said.startswith(says)
    assert said.count("\n") == 1


def test_a_check_leaves_nothing_on_disk(tmp_path):
    assert run("check", "-datadir", tmp_path / "data", "-audit-log", tmp_path / "audit")[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_configuration_cannot_be_shown():
    with pytest.raises(ConfigError, match="-addr"):
        run("show", "-addr", "x")


@pytest.mark.parametrize("words", [[], ["list"], ["check", "-json"]])
def test_another_action_is_a_mistake(words):
    with pytest.raises(UsageError, match="usage: config show"):
        run(*words)
