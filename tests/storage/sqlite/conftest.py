"""A database, and fixtures that read it directly."""

import apsw
import pytest
from apsw.ext import query_info

from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import migrate
from storage.support import run


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "registry.db")
    migrate(path)
    return path


@pytest.fixture
def store(path, clock):
    store = rows_of(Database(path), clock)
    yield store
    run(store.close())


@pytest.fixture
def look(path):
    """Return a function that runs SQL on a connection of its own."""
    connection = apsw.Connection(path)
    yield lambda sql, *bindings: connection.execute(sql, bindings or None).fetchall()
    connection.close()


@pytest.fixture
def plan(path):
    """Return a function that returns the steps of SQLite's plan for a statement."""
    connection = apsw.Connection(path)

    def steps(node):
        return [step for sub in node.sub or () for step in [sub.detail, *steps(sub)]]

    yield lambda sql: steps(query_info(connection, sql, explain_query_plan=True).query_plan)
    connection.close()


@pytest.fixture
def assert_indexed(plan):
    """Return a function that refuses statements which read whole tables or sort what they found."""

    def check(*statements):
        for sql in statements:
            steps = plan(sql)
            assert any(step.startswith("SEARCH") for step in steps)
            # json_each is not a table: it is a parameter of the statement.
            # Nor are `holders`, `kept`, `below` and `above`: they grow by one search for each row or manifest found.
            given = {"json_each", "holders", "kept", "below", "above", "CONSTANT"}
            scans = [step for step in steps if step.startswith("SCAN") and step.split()[1] not in given]
            assert not scans
            assert not [step for step in steps if "TEMP B-TREE" in step]

    return check
