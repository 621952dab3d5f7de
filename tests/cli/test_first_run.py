import io
import re
import stat

import pytest

from simple_registry.access.passwords import hash_password, verify_password
from simple_registry.cli.first_run import FILE_NAME, with_administrator
from simple_registry.config.load import load_access
from simple_registry.config.settings import Administrator, Secret, Settings
from simple_registry.config.values import ConfigError

URL = "http://localhost:5000"


def begin(directory, settings=None, url=URL):
    shown = io.StringIO()
    return with_administrator(settings or Settings(), directory, url, shown), shown.getvalue()


def test_the_first_start_shows_a_password_once_and_keeps_only_its_hash(tmp_path):
    settings, shown = begin(tmp_path)
    password = re.search(r"password  (\S+)\n", shown)[1]
    kept = tmp_path / FILE_NAME
    assert len(password) >= 20
    assert password.isalnum()
    assert settings.administrator.name == "admin"
    assert verify_password(password, settings.administrator.password_hash.reveal())
    assert kept.read_text() == settings.administrator.password_hash.reveal() + "\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_it_says_how_to_log_in_and_push(tmp_path):
    _, shown = begin(tmp_path)
    assert "docker login -u admin localhost:5000\n" in shown
    assert "docker push localhost:5000/" in shown


def test_a_unix_socket_has_no_name_to_log_in_to(tmp_path):
    _, shown = begin(tmp_path, url="unix:/run/r.sock")
    assert "docker login -u admin REGISTRY\n" in shown


def test_later_starts_use_the_hash_and_show_nothing(tmp_path):
    first, _ = begin(tmp_path)
    again, shown = begin(tmp_path)
    assert shown == ""
    assert again.administrator.password_hash.reveal() == first.administrator.password_hash.reveal()


def test_two_first_starts_have_two_passwords(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert begin(tmp_path / "a")[1] != begin(tmp_path / "b")[1]


def test_a_configured_administrator_is_left_alone(tmp_path):
    configured = Settings(administrator=Administrator("root", Secret(hash_password("x", 4))))
    settings, shown = begin(tmp_path, configured)
    assert settings is configured
    assert shown == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "document",
    [
        "kind: User\nmetadata: {name: bob}\n",
        "kind: TokenIssuer\nmetadata: {name: ci}\nspec:\n  issuer: https://ci\n  audience: r\n  keys: {jwksFile: k}\n",
    ],
)
def test_where_a_document_lets_somebody_in_there_is_no_other_administrator(tmp_path, document):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.yaml").write_text(document)
    configured = Settings(config_dirs=(tmp_path / "rules",))
    settings, shown = begin(tmp_path, configured)
    assert settings is configured
    assert shown == ""
    assert [path.name for path in tmp_path.iterdir()] == ["rules"]


def test_the_administrator_of_the_first_start_gives_way_to_the_first_user(tmp_path):
    (tmp_path / "rules").mkdir()
    settings, _ = begin(tmp_path, Settings(config_dirs=(tmp_path / "rules",)))
    assert set(load_access(settings.config_dirs, settings.administrator).users) == {"admin"}
    (tmp_path / "rules/a.yaml").write_text("kind: User\nmetadata: {name: bob}\n")
    assert set(load_access(settings.config_dirs, settings.administrator).users) == {"bob"}


def test_a_damaged_hash_is_refused_and_left(tmp_path):
    (tmp_path / FILE_NAME).write_text("secret\n")
    with pytest.raises(ConfigError, match="holds no bcrypt hash; delete it") as refused:
        begin(tmp_path)
    assert "secret" not in str(refused.value)
    assert (tmp_path / FILE_NAME).read_text() == "secret\n"


def test_a_directory_that_cannot_be_written_to_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot write .*admin.hash: No such file"):
        begin(tmp_path / "absent")
