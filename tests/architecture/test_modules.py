"""Every module of the source has a test module of its own, at the mirrored path."""

import ast

import pytest

from support.sources import ROOT, modules

CONTRACT = "tests/storage/contracts asks every adapter, tests/storage/sqlite/rows/test_statements.py every statement"
PROMISES = "promises without code; tests/storage/contracts asks every adapter for them"
ROOMS = (
    *("collection", "content", "holdings", "journal", "mode"),
    *("rows", "sessions", "tags", "tokens", "usage"),
)
EXEMPT = {
    "__main__": "one call, made by every end-to-end test",
    "upstream.protocols": "promises without code; tests/upstream asks the one client for them",
    "storage.sqlite.rows.collections": CONTRACT,
    "storage.sqlite.rows.contents": CONTRACT,
    "storage.sqlite.rows.repositories": CONTRACT,
    "storage.sqlite.rows.sessions": CONTRACT,
    "storage.sqlite.rows.tag_times": CONTRACT,
    "storage.sqlite.rows.tags": CONTRACT,
    "storage.sqlite.rows.web_sessions": CONTRACT,
    "wire.shared": "promises without code, and one deadline; tests/wire asks the server for them",
    "storage.inspection": "promises without code; tests/storage/contracts asks every adapter for them",
    "storage.purging": "promises and values; tests/operations and tests/storage/sqlite/rows ask for them",
    "storage.records": "values with one property; every test of a store asks for it",
    "storage.sources": "promises and values; tests/operations/moving asks for them",
    "storage.stores": "a record; every application is built from it",
    **{f"storage.protocols.{name}": PROMISES for name in ROOMS},
}


def has_code(path):
    """Tell whether a module holds more than its docstring and a version."""
    statements = ast.parse(path.read_text("utf-8")).body
    return any(not isinstance(each, ast.Expr | ast.Assign) for each in statements)


NAMED = {name: path for name, path in modules().items() if has_code(path)}


def mirrored(name):
    *packages, module = name.split(".")
    return ROOT.joinpath("tests", *packages, f"test_{module}.py")


@pytest.mark.parametrize("name", sorted(NAMED.keys() - EXEMPT.keys()))
def test_a_module_has_its_test_module(name):
    assert mirrored(name).is_file(), f"write {mirrored(name).relative_to(ROOT)}"


@pytest.mark.parametrize("name", sorted(EXEMPT))
def test_an_exemption_is_still_needed(name):
    assert name in NAMED
    assert not mirrored(name).exists()
