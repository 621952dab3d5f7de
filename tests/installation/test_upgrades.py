"""The data directory of an earlier version can be made again, by that version, and is like the committed one."""

import tarfile

import pytest

from harness.subjects import running
from upgrades.content import assert_all_is_served
from upgrades.make import COMMIT, is_known, make
from upgrades.test_upgrades import MADE, SCHEMA, dump, schema, this_version

pytestmark = pytest.mark.installation


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    if not is_known(COMMIT):
        pytest.skip("this clone does not have the history")
    return make(COMMIT, tmp_path_factory.mktemp("earlier"))


@pytest.fixture
def committed(tmp_path):
    with tarfile.open(MADE) as archive:
        archive.extractall(tmp_path, filter="tar")
    return tmp_path / "data"


def test_the_earlier_version_writes_what_is_committed(again, committed):
    data = again / "data"
    assert schema(data) == SCHEMA
    assert {path.relative_to(data) for path in data.glob("blobs/*/*/*")} == {
        path.relative_to(committed) for path in committed.glob("blobs/*/*/*")
    }
    made, before = dump(data), dump(committed)
    assert {table: len(rows) for table, rows in made.items()} == {table: len(rows) for table, rows in before.items()}


def test_what_it_writes_today_is_served_after_the_upgrade(again, tmp_path):
    with running(this_version(), tmp_path / "run", data=again / "data") as registry:
        assert_all_is_served(registry, (again / "token").read_text().strip())
