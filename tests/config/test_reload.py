import logging

import pytest

from simple_registry.config.load import load_documents
from simple_registry.config.reload import Reloading
from simple_registry.config.settings import Secret
from simple_registry.config.values import ConfigError


@pytest.fixture
def write(tmp_path):
    def write(spec, user="bob"):
        (tmp_path / "main.yaml").write_text(
            f"kind: Configuration\nmetadata: {{name: m}}\nspec: {spec}\n---\nkind: User\nmetadata: {{name: {user}}}\n"
        )

    return write


def reloading(tmp_path, *, tell=True):
    return Reloading(lambda: load_documents([tmp_path], None), tell=tell)


def told(caplog):
    return [record.getMessage().partition("SIGHUP: ")[2] for record in caplog.records]


def test_rules_are_those_of_now_and_settings_that_changed_are_told_once(tmp_path, write, caplog):
    write("{limits: {sessions: 5}, dataDir: a}")
    load = reloading(tmp_path)
    assert set(load().users) == {"bob"}
    assert told(caplog) == []
    write("{limits: {sessions: 6}, log: {level: debug}, dataDir: a}", "alice")
    assert set(load().users) == {"alice"}
    load()
    assert told(caplog) == ["limits.sessions, log.level"]
    assert caplog.records[0].levelno == logging.WARNING


def test_settings_that_are_put_back_need_nothing(tmp_path, write, caplog):
    write("{dataDir: a}")
    load = reloading(tmp_path)
    load()
    write("{}")
    load()
    write("{dataDir: a}")
    load()
    assert told(caplog) == ["dataDir"]


def test_one_worker_tells_for_all(tmp_path, write, caplog):
    write("{dataDir: a}")
    load = reloading(tmp_path, tell=False)
    load()
    write("{dataDir: b}")
    load()
    assert told(caplog) == []


def test_a_changed_secret_is_told_without_being_shown(tmp_path, write, caplog):
    write("{web: {tokenSecret: first-secret-of-ours-0123456789abcdef}}")
    load = reloading(tmp_path)
    load()
    write("{web: {tokenSecret: second-secret-of-ours-0123456789abcdef}}")
    load()
    assert told(caplog) == ["web.tokenSecret"]
    assert load_documents([tmp_path], None).settings == {
        "web.tokenSecret": Secret("second-secret-of-ours-0123456789abcdef")
    }


def test_a_setting_that_is_wrong_lets_no_rule_take_effect(tmp_path, write):
    write("{dataDir: a}")
    load = reloading(tmp_path)
    load()
    write("{limits: {sessions: none}}", "alice")
    with pytest.raises(ConfigError, match=r"main.yaml:3: spec.limits.sessions is wrong"):
        load()
