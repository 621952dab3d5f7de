"""The parent as documents change: audit lines, the end of the first start's administrator, changed settings."""

import json
import logging

import pytest

from simple_registry.cli.first_run import FILE_NAME, OVER_NAME
from simple_registry.cli.following import Following
from simple_registry.config.load import Configured, follow_documents
from simple_registry.config.settings import Settings

USER = "kind: User\nmetadata: {name: bob}\n---\n"


def configuration(spec):
    return f"kind: Configuration\nmetadata: {{name: m}}\nspec: {spec}\n"


class Parent:
    """A parent over documents in one file."""

    def __init__(self, directory, content):
        self.file = directory / "rules/a.yaml"
        self.file.parent.mkdir()
        self.data = directory / "data"
        self.data.mkdir()
        self.audit = directory / "audit"
        self.file.write_text(content)
        documents = follow_documents((self.file.parent,), None)
        self.configured = Configured(Settings(audit=self.audit), documents)
        self.following = Following(self.data)
        self.following.begin(self.configured)

    def write(self, content):
        self.file.write_text(content)
        self.following.poll(self.configured)
        self.following.poll(self.configured)

    @property
    def audited(self):
        lines = [json.loads(line) for line in self.audit.read_text().splitlines()]
        return [{name: value for name, value in line.items() if name != "time"} for line in lines]


@pytest.fixture
def make(tmp_path):
    return lambda content: Parent(tmp_path, content)


def test_the_rules_are_audited_at_the_start_and_when_documents_changed(make):
    parent = make(USER)
    parent.write(USER)
    parent.write("kind: Usr\nmetadata: {name: bob}\n")
    parent.write(USER + "kind: User\nmetadata: {name: alice}\n")
    first, second = parent.audited
    assert first["documents"].startswith("sha256:")
    assert first["documents"] != second["documents"]
    assert [
        (line["event"], line["users"], line["bindings"], line["tokens"], line["issuers"]) for line in (first, second)
    ] == [
        ("rules.change", 1, 0, 0, 0),
        ("rules.change", 2, 0, 0, 0),
    ]


def test_a_reload_without_a_change_is_not_audited(make):
    parent = make(USER)
    parent.following.begin(parent.configured)
    assert len(parent.audited) == 1


def test_the_administrator_of_the_first_start_ends_when_documents_name_users(make):
    parent = make(configuration("{}"))
    (parent.data / FILE_NAME).write_text("hash\n")
    parent.write(configuration("{dataDir: a}"))
    assert {path.name for path in parent.data.iterdir()} == {FILE_NAME}
    parent.write(USER)
    assert {path.name for path in parent.data.iterdir()} == {OVER_NAME}


def told(caplog):
    return [record.getMessage().partition("SIGHUP: ")[2] for record in caplog.records]


def test_settings_that_changed_are_logged_once(make, caplog):
    parent = make(USER + configuration("{limits: {sessions: 5}, dataDir: a}"))
    parent.write(USER + configuration("{limits: {sessions: 6}, log: {level: debug}, dataDir: a}"))
    parent.write(configuration("{limits: {sessions: 6}, log: {level: debug}, dataDir: a}") + "---\n" + USER)
    assert told(caplog) == ["limits.sessions, log.level"]
    assert caplog.records[0].levelno == logging.WARNING


def test_settings_that_are_reverted_are_not_logged(make, caplog):
    parent = make(USER + configuration("{dataDir: a}"))
    parent.write(USER + configuration("{}"))
    parent.write(USER + configuration("{dataDir: a}"))
    assert told(caplog) == ["dataDir"]


def test_settings_are_in_force_after_a_reload(make, caplog):
    parent = make(USER + configuration("{dataDir: a}"))
    parent.write(USER + configuration("{dataDir: b}"))
    parent.following.begin(parent.configured)
    parent.write(USER + configuration("{dataDir: a}"))
    assert told(caplog) == ["dataDir", "dataDir"]


def test_a_changed_secret_is_logged_without_being_shown(make, caplog):
    parent = make(USER + configuration("{web: {tokenSecret: first-secret-of-ours-0123456789ab}}"))
    parent.write(USER + configuration("{web: {tokenSecret: second-secret-of-ours-0123456789a}}"))
    assert told(caplog) == ["web.tokenSecret"]


def test_a_setting_that_is_wrong_lets_no_rule_take_effect(make):
    parent = make(USER + configuration("{dataDir: a}"))
    parent.write("kind: User\nmetadata: {name: alice}\n---\n" + configuration("{limits: {sessions: none}}"))
    assert "spec.limits.sessions is wrong" in parent.configured.documents.stale
    assert set(parent.configured.documents.value.rules.users) == {"bob"}
