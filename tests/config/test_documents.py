from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from simple_registry.config.documents import (
    Entry,
    Place,
    _by_kind,
    _documents,
    parse_documents,
    read_documents_below,
    read_roots,
)
from simple_registry.config.values import ConfigError, nearest

FILE = Path("rules.yaml")


def documents(text):
    return list(_documents(FILE, text.encode() if isinstance(text, str) else text))


def refusal(text):
    with pytest.raises(ConfigError) as refused:
        documents(text)
    return str(refused.value)


def test_documents_know_kind_name_and_line():
    first, second = documents("kind: A\nmetadata: {name: x}\n---\n---\nkind: B\nmetadata: {name: y}\nspec: {}\n")
    assert (first.kind, first.name, first.place, first.spec.any_fields()) == ("A", "x", Place(FILE, 1), {})
    assert (second.kind, second.name, str(second.place)) == ("B", "y", "rules.yaml:5")


def test_empty_files_and_comments_hold_no_document():
    assert documents("") == documents("# nothing\n") == documents("---\n...\n") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n", "rules.yaml:1: must be a mapping (name: value), not a list"),
        ("kind: A\nkind: B\n", "rules.yaml:2: kind is there twice; the other one is on line 1"),
        ("kind: A\nmetadata: {name: x}\nsepc: {}\n", "rules.yaml:3: sepc is not a known field; did you mean 'spec'?"),
        ("metadata: {name: x}\n", "rules.yaml:1: a document needs the field 'kind'"),
        ("kind: A\n", "a document needs the field 'metadata'"),
        ("kind: A\nmetadata: {}\n", "rules.yaml:2: metadata needs a name"),
        ("kind: A\nmetadata: {name: null}\n", "rules.yaml:2: metadata.name must be text, not nothing"),
        ("kind: A\nmetadata: {name: yes}\n", "metadata.name must be text, not true or false"),
        ("kind: [A]\nmetadata: {name: x}\n", "kind must be text, not a list"),
        ("apiVersion: v9\nkind: A\nmetadata: {name: x}\n", "rules.yaml:1: apiVersion is 'v9', but this version reads"),
        ("a: b: c\n", "rules.yaml:1: this is not YAML"),
        ("a: [\n", "this is not YAML"),
        ("a: \x07\n", "this is not YAML"),
        (b"\xff\xfe\x00", "this is not YAML"),
        ("[" * 20_000, "nested too deeply"),
        ("? [a]\n: b\n", "must be text, not a list"),
        ("kind: !!python/object:os.system A\nmetadata: {name: x}\n", "must be text, not a value of another type"),
    ],
)
def test_refusals_name_file_line_and_what_is_wrong(text, says):
    refused = refusal(text)
    assert says in refused
    assert "\n" not in refused


def test_a_name_may_be_there_once_per_kind():
    with pytest.raises(ConfigError, match=r"rules.yaml:4: the A 'x' is there twice; the other is rules.yaml:1"):
        _by_kind(documents("kind: A\nmetadata: {name: x}\n---\nkind: A\nmetadata: {name: x}\n"))
    grouped = _by_kind(documents("kind: A\nmetadata: {name: y}\n---\nkind: A\nmetadata: {name: x}\n"))
    assert [document.name for document in grouped["A"]] == ["x", "y"]


def test_lists_give_entries_with_their_place():
    spec = documents("kind: A\nmetadata: {name: x}\nspec:\n  words:\n  - one\n  - 2\n")[0].spec
    words = spec.fields({"words"})["words"]
    assert [(entry.text(), entry.place.line, entry.path) for entry in words.items()] == [
        ("one", 5, "spec.words[0]"),
        ("2", 6, "spec.words[1]"),
    ]
    with pytest.raises(ConfigError, match=r"spec.words must be text, not a list"):
        words.text()
    with pytest.raises(ConfigError, match=r"spec.words\[0\] must be a list, not a value"):
        words.items()[0].items()


def test_the_nearest_name_is_offered_or_all_of_them():
    assert nearest("adr", ["addr", "certfile"]) == "; did you mean 'addr'?"
    assert nearest("zzz", ["b", "a"]) == "; known here: a, b"
    assert nearest("ADDR", ["addr"]) == "; did you mean 'addr'?"


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read .*absent.yaml: No such file"):
        read_roots(tmp_path / "absent.yaml")
    (tmp_path / "b.yaml").symlink_to("absent.yaml")
    with pytest.raises(ConfigError, match=r"cannot read .*b.yaml: No such file"):
        read_documents_below([tmp_path], {"A"})


@pytest.mark.parametrize("content", [b"kind: A\nmetadata: {name: x}", b"# a", b" ", b"---"])
def test_a_last_line_without_an_end_is_refused_with_its_place(content):
    line = content.count(b"\n") + 1
    with pytest.raises(ConfigError, match=f"rules.yaml:{line}: the last line has no end, as in a file that is half"):
        parse_documents(FILE, content)
    parse_documents(FILE, content + b"\n")


def test_an_empty_file_holds_no_documents():
    assert parse_documents(FILE, b"") == []


@given(st.one_of(st.binary(max_size=60), st.text(alphabet="kinda:{}[]- \n&*!\"'|", max_size=60).map(str.encode)))
def test_any_bytes_are_documents_or_a_config_error(content):
    with suppress(ConfigError):
        found = list(_documents(FILE, content))
        assert all(document.spec is None or isinstance(document.spec, Entry) for document in found)
