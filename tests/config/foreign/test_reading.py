"""Which registry a configuration is of, and which users it gets."""

import pytest

from simple_registry.config.foreign.reading import translate
from simple_registry.config.values import ConfigError
from support.importing import BCRYPT


@pytest.mark.parametrize(
    ("text", "registry"),
    [
        ("version: 0.1\n", "distribution"),
        ('{"distSpecVersion": "1.1.1"}', "zot"),
        ('{"storage": {"rootDirectory": "/tmp/zot"}}', "zot"),
        ("http: {port: 8080}\n", "zot"),
        ("http: {accessControl: {repositories: {}}}\n", "zot"),
    ],
)
def test_the_registry_is_known_by_its_keys(tmp_path, text, registry):
    (tmp_path / "config").write_text(text)
    assert translate(tmp_path / "config").registry == registry


def test_another_file_is_refused(tmp_path):
    (tmp_path / "config").write_text("services: {registry: {image: registry}}\n")
    with pytest.raises(ConfigError, match=r"neither a config\.yml"):
        translate(tmp_path / "config")


def test_variables_are_not_of_zot(tmp_path):
    (tmp_path / "config").write_text('{"distSpecVersion": "1.1.1"}')
    (tmp_path / "env").write_text("REGISTRY_HTTP_ADDR=:1\n")
    with pytest.raises(ConfigError, match="zot has no variables"):
        translate(tmp_path / "config", variables=tmp_path / "env")


@pytest.mark.parametrize(
    "text",
    [
        "version: 0.1\nauth: {{htpasswd: {{path: {}}}}}\n",
        "distSpecVersion: 1\nhttp: {{auth: {{htpasswd: {{path: {}}}}}}}\n",
    ],
)
def test_the_users_come_from_the_file_that_is_given_or_that_is_named_and_there(tmp_path, text):
    for name in ("named", "given"):
        (tmp_path / name).write_text(f"{name}:{BCRYPT}\n")
    (tmp_path / "config").write_text(text.format(tmp_path / "named"))
    (tmp_path / "absent").write_text(text.format(tmp_path / "nothing"))

    def users(*arguments, **options):
        found = translate(*arguments, **options)
        return [made.name for made in found.documents if made.kind == "User"], list(found.leaves.remarks.values())

    assert users(tmp_path / "config")[0] == ["named"]
    assert users(tmp_path / "config", passwords=tmp_path / "given")[0] == ["given"]
    names, remarks = users(tmp_path / "absent")
    assert names == []
    assert "give the file, too, for its users: -htpasswd FILE" in remarks
