"""The values of a configuration by path, from YAML, JSON and variables; each gets a note."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.config.documents import Place
from simple_registry.config.foreign import leaves as module
from simple_registry.config.foreign.leaves import Leaf, Leaves, combined, read_leaves, read_variables
from simple_registry.config.values import ConfigError


@pytest.fixture
def read(tmp_path):
    def call(content):
        (tmp_path / "file").write_bytes(content.encode() if isinstance(content, str) else content)
        return {path: leaf.text for path, leaf in read_leaves(tmp_path / "file").items()}

    return call


def leaves_of(**texts):
    return Leaves(
        {tuple(name.split("_")): Leaf(tuple(name.split("_")), text, Place(None, 1)) for name, text in texts.items()}
    )


def test_values_have_paths(read):
    text = "a: {b: 1, c: [x, {d: y}]}\ne: null\nf: {}\ng: []\n"
    assert read(text) == {
        ("a", "b"): "1",
        ("a", "c", "0"): "x",
        ("a", "c", "1", "d"): "y",
        ("e",): "",
        ("f",): "",
        ("g",): "",
    }


def test_json_may_have_tabs(read):
    assert read('{\n\t"a":\t"b",\n\t"c": [\n\t\t"d"\n\t]\n}\n') == {("a",): "b", ("c", "0"): "d"}


def test_values_know_their_lines(tmp_path):
    (tmp_path / "file").write_text("a:\n  b: 1\n  c:\n  - d\n")
    assert [leaf.place.line for leaf in read_leaves(tmp_path / "file").values()] == [2, 4]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "not the configuration"),
        ("- a\n", "not the configuration"),
        ("a: 1\n---\nb: 1\n", "not the configuration"),
        ("a: 1\na: 2\n", "is there twice"),
        ("a: [\n", "not YAML"),
        ("a: &a\n  b: *a\n", "contains itself|not YAML"),
    ],
)
def test_what_is_no_configuration_is_refused(read, content, reason):
    with pytest.raises(ConfigError, match=reason):
        read(content)


def test_aliases_cannot_make_too_many_values(read, monkeypatch):
    monkeypatch.setattr(module, "MAX_LEAVES", 100)
    lines = ["a0: &a0 [x, x, x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 6))]
    with pytest.raises(ConfigError, match="more than 100 values"):
        read("\n".join(lines) + "\n")


def test_variables_are_paths(tmp_path):
    (tmp_path / "env").write_text(
        "# a comment\n\nREGISTRY_HTTP_ADDR=:5000\nexport REGISTRY_STORAGE_DELETE_ENABLED='true'\n"
        "REGISTRY_HTTP_TLS_CLIENTCAS=[a, b]\nREGISTRY_EMPTY=\nOTHER=x\n"
    )
    found = read_variables(tmp_path / "env")
    assert {path: leaf.text for path, leaf in found.items()} == {
        ("http", "addr"): ":5000",
        ("storage", "delete", "enabled"): "true",
        ("http", "tls", "clientcas", "0"): "a",
        ("http", "tls", "clientcas", "1"): "b",
        ("empty",): "",
        ("OTHER",): "x",
    }
    assert found["http", "addr"].name == "REGISTRY_HTTP_ADDR"
    assert str(found["http", "addr"].place).endswith("env:3")


def test_a_line_that_sets_nothing_is_refused(tmp_path):
    (tmp_path / "env").write_text("REGISTRY_HTTP_ADDR\n")
    with pytest.raises(ConfigError, match="env:1: not a line of the form"):
        read_variables(tmp_path / "env")


def test_a_variable_replaces_what_a_file_has_there_and_below():
    file = leaves_of(a_b="1", a_c_d="2", e="3").found
    variables = {("a", "c"): Leaf(("REGISTRY_A_C",), "x", Place(None, 1))}
    found = combined(file, variables)
    assert {path: leaf.text for path, leaf in found.found.items()} == {("a", "b"): "1", ("e",): "3", ("a", "c"): "x"}
    assert found.remarks == {file["a", "c", "d"]: "replaced by the variable REGISTRY_A_C"}


def test_values_are_found_by_path():
    leaves = leaves_of(a_b="true", a_c_1="x", a_c_2="", d="YES")
    assert leaves.text("a", "b") == "true"
    assert leaves.text("a", "x") is None
    assert leaves.is_true("a", "b")
    assert leaves.is_true("d")
    assert not leaves.is_true("a", "c")
    assert leaves.keys("a") == ["b", "c"]
    assert leaves.keys("a", "c") == ["1", "2"]
    assert leaves.texts("a", "c") == ["x"]
    assert [leaf.name for leaf in leaves.below("a")] == ["a.b", "a.c.1", "a.c.2"]


def test_the_remark_of_the_longest_path_counts():
    leaves = leaves_of(a_b_c="1", a_d="2", e="3", f="4", g="5")
    leaves.take("something", "e")
    leaves.take_one("never", "a")
    leaves.remark("seen", "f")
    leaves.remark_rest({("a",): "of a", ("a", "b"): "of b", ("e",): "never", ("f",): "never"})
    assert {leaf.name: text for leaf, text in leaves.remarks.items()} == {
        "a.b.c": "of b",
        "a.d": "of a",
        "f": "seen",
        "g": "not a key that is known here; look up what it does",
    }
    assert {leaf.name: text for leaf, text in leaves.became.items()} == {"e": "something"}


@given(st.dictionaries(st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple), st.text(max_size=3)))
def test_every_value_ends_with_one_note(texts):
    leaves = Leaves({path: Leaf(path, text, Place(None, 1)) for path, text in texts.items()})
    leaves.take("something", "a")
    leaves.remark_rest({("b",): "of b"})
    assert leaves.became.keys() | leaves.remarks.keys() == set(leaves.found.values())
    assert not leaves.became.keys() & leaves.remarks.keys()
