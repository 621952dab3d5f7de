"""A database that is none is told of before anything opens it for good."""

from pathlib import Path

import pytest

from simple_registry.storage.sqlite.soundness import trouble


def test_a_database_of_ours_is_sound(path):
    assert trouble(path) is None


def test_a_missing_one_is_not_made(tmp_path):
    assert trouble(str(tmp_path / "registry.db")) == "it is missing"
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_none(tmp_path):
    (tmp_path / "registry.db").touch()
    assert trouble(str(tmp_path / "registry.db")) == "it is empty"


@pytest.mark.parametrize("size", [10, 100, 5000])
def test_another_kind_of_file_is_none(tmp_path, size):
    (tmp_path / "registry.db").write_bytes(b"x" * size)
    assert "not a sound database" in trouble(str(tmp_path / "registry.db"))


def test_a_directory_is_none(tmp_path):
    assert trouble(str(tmp_path / "absent" / "registry.db")) == "it is missing"
    (tmp_path / "file").touch()
    assert "cannot be looked at" in trouble(str(tmp_path / "file" / "registry.db"))


def test_one_without_tables_is_none(tmp_path):
    import apsw

    connection = apsw.Connection(str(tmp_path / "registry.db"))
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    assert Path(tmp_path / "registry.db").stat().st_size > 0
    assert trouble(str(tmp_path / "registry.db")) == "it has no tables"
