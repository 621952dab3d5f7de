import io
import re
import stat

import pytest

from simple_registry.access.passwords import verify_password
from simple_registry.cli.first_run import FILE_NAME, OVER_NAME, end_first_administrator, first_administrator
from simple_registry.config.values import ConfigError

URL = "http://localhost:5000"


def begin(directory, url=URL):
    shown = io.StringIO()
    return first_administrator(directory, url, shown), shown.getvalue()


def test_the_first_start_shows_a_password_once_and_keeps_only_its_hash(tmp_path):
    administrator, shown = begin(tmp_path)
    password = re.search(r"password  (\S+)\n", shown)[1]
    kept = tmp_path / FILE_NAME
    assert len(password) >= 20
    assert password.isalnum()
    assert (administrator.name, administrator.provisional) == ("admin", True)
    assert verify_password(password, administrator.password_hash.reveal())
    assert kept.read_text() == administrator.password_hash.reveal() + "\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_the_output_shows_how_to_log_in_and_push(tmp_path):
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
    assert again == first


def test_two_first_starts_have_two_passwords(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert begin(tmp_path / "a")[1] != begin(tmp_path / "b")[1]


def test_the_administrator_ends_permanently_once_documents_name_users(tmp_path, caplog):
    begin(tmp_path)
    end_first_administrator(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [OVER_NAME]
    assert "the administrator of the first start has ended" in caplog.text
    with pytest.raises(ConfigError, match=rf"no document names a user.* or remove {tmp_path / OVER_NAME} to have"):
        begin(tmp_path)
    (tmp_path / OVER_NAME).unlink()
    assert "password" in begin(tmp_path)[1]


def test_without_an_administrator_its_end_is_not_logged(tmp_path, caplog):
    end_first_administrator(tmp_path)
    end_first_administrator(tmp_path)
    assert caplog.records == []
    assert "Remove this file" in (tmp_path / OVER_NAME).read_text()


def test_an_end_that_cannot_be_recorded_is_logged_and_not_raised(tmp_path, caplog):
    end_first_administrator(tmp_path / "absent")
    assert "cannot be removed permanently" in caplog.text


def test_a_damaged_hash_is_refused_and_left(tmp_path):
    (tmp_path / FILE_NAME).write_text("secret\n")
    with pytest.raises(ConfigError, match="holds no bcrypt hash; delete it") as refused:
        begin(tmp_path)
    assert "secret" not in str(refused.value)
    assert (tmp_path / FILE_NAME).read_text() == "secret\n"


def test_a_directory_that_cannot_be_written_to_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot write .*admin.hash: .*No such file"):
        begin(tmp_path / "absent")
