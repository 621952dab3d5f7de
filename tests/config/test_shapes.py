"""Shapes read entries, and name file, line and path of what is wrong."""

from pathlib import Path

import pytest

from simple_registry.access.scopes import ScopePattern
from simple_registry.config.documents import parse_documents
from simple_registry.config.shapes import NAME, PATH, PATTERN, Field, Fields, ListOf, MapOf, Text, word
from simple_registry.config.values import ConfigError, parse_address, parse_count

SHAPE = Fields(
    (
        Field("text", NAME, "", required=True),
        Field("count", Text("number", parse_count), ""),
        Field("list", ListOf(NAME, hint="write a"), ""),
        Field("loose", ListOf(NAME, or_one=True, empty=True), ""),
        Field("map", MapOf(PATTERN, "claim"), ""),
        Field("inner", Fields((Field("a", NAME, ""), Field("b", NAME, "")), one_of=("a", "b")), ""),
        Field("word", word(("one", "two")), ""),
        Field("path", PATH, ""),
        Field("address", Text("address", parse_address), ""),
    )
)


def read(spec):
    (document,) = parse_documents(Path("/etc/a.yaml"), f"kind: X\nmetadata: {{name: x}}\nspec: {spec}\n".encode())
    return SHAPE.read(document.spec)


def test_present_fields_become_values_and_others_are_absent():
    assert read("{text: 1, loose: []}") == {"text": "1", "loose": ()}
    assert read("{text: a, list: [a, b], map: {c: ^x}, inner: {b: c}, word: two, count: 3}") == {
        "text": "a",
        "list": ("a", "b"),
        "map": {"c": ScopePattern("^x")},
        "inner": {"b": "c"},
        "word": "two",
        "count": 3,
    }


def test_a_single_item_may_be_written_without_brackets_if_declared():
    assert read("{text: a, loose: b}")["loose"] == ("b",)


def test_paths_are_relative_to_the_file_that_names_them():
    assert read("{text: a, path: keys.json}")["path"] == Path("/etc/keys.json")
    assert read("{text: a, path: /keys.json}")["path"] == Path("/keys.json")
    assert read("{text: a, address: 'unix:r.sock'}")["address"].path == Path("/etc/r.sock")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("{}", "spec needs 'text'"),
        ("[]", "spec must be a mapping (name: value), not a list"),
        ("{text: [a]}", "spec.text must be text, not a list"),
        ("{text: a, txt: b}", "spec.txt is not a known field; did you mean 'text'?"),
        ("{text: a, count: x}", "spec.count is wrong: 'x' is not a count; write a whole number of at least 1"),
        ("{text: a, list: []}", "spec.list is empty; write a"),
        ("{text: a, list: b}", "spec.list must be a list, not a value of another type"),
        ("{text: a, loose: {}}", "spec.loose must be text, not a mapping"),
        ("{text: a, map: {c: (}}", "spec.map.c is wrong: not a valid pattern"),
        ("{text: a, inner: {}}", "spec.inner needs exactly one of a, b"),
        ("{text: a, inner: {a: x, b: y}}", "spec.inner needs exactly one of a, b"),
        ("{text: a, word: tow}", "spec.word is wrong: 'tow' is not accepted; did you mean 'two'?"),
    ],
)
def test_an_error_has_file_line_and_path(spec, says):
    with pytest.raises(ConfigError) as refused:
        read(spec)
    assert str(refused.value).startswith(f"/etc/a.yaml:3: {says}")
