"""Which content counts as held."""

import pytest

from simple_registry.storage.sqlite.engine.connections import open_connection
from simple_registry.storage.sqlite.rows import holding
from storage.support import blob_of

BLOB = blob_of(b"blob")


@pytest.fixture
def connection(path):
    connection = open_connection(path)
    yield connection
    connection.close()


def unheld(connection):
    return connection.execute("SELECT unheld_since FROM blobs").fetchall()


def test_holding_makes_the_rows_that_a_holder_needs(connection):
    holding.hold(connection, "a", BLOB)
    holding.hold(connection, "a", BLOB)
    assert unheld(connection) == [(None,)]
    assert connection.execute("SELECT name FROM repositories").fetchall() == [("a",)]


def test_content_is_released_once_and_by_its_last_holder_only(connection):
    holding.hold(connection, "a", BLOB)
    connection.execute("INSERT INTO repository_blobs VALUES ('a', ?)", (str(BLOB.digest),))
    holding.release(connection, BLOB.digest, 5.0)
    assert unheld(connection) == [(None,)]
    connection.execute("DELETE FROM repository_blobs")
    holding.release(connection, BLOB.digest, 6.0)
    holding.release(connection, BLOB.digest, 7.0)
    assert unheld(connection) == [(6.0,)]
    holding.hold(connection, "b", BLOB)
    assert unheld(connection) == [(None,)]
