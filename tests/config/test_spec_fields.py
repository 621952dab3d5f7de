from pathlib import Path

import pytest

from simple_registry.access.permission import Resource
from simple_registry.access.roles import Role
from simple_registry.access.scopes import ScopePattern
from simple_registry.config.documents import read_documents
from simple_registry.config.spec_fields import fields_of, pattern_of, relative_to, role_of, texts_of
from simple_registry.config.values import ConfigError

ROLES = {"reader": Role("reader", frozenset({Resource.BLOBS}), frozenset({"GET"}))}


@pytest.fixture
def document(tmp_path):
    def make(spec):
        (tmp_path / "a.yaml").write_text(f"kind: Role\nmetadata: {{name: x}}\nspec: {spec}\n")
        return read_documents(tmp_path / "a.yaml")[0]

    return make


def entry(document):
    return document.spec.any_fields()["it"]


def test_fields_that_must_be_there_are_named_with_the_document(document, tmp_path):
    assert fields_of(document("{it: 1}"), ("it",), ("it",))["it"].text() == "1"
    with pytest.raises(ConfigError, match=rf"^{tmp_path}/a.yaml:1: the Role 'x' needs spec.it"):
        fields_of(document("{}"), ("it",), ("it",))
    with pytest.raises(ConfigError, match=r"a.yaml:3: spec.its is not a known field; did you mean 'it'"):
        fields_of(document("{its: 1}"), ("it",))


def test_a_document_without_spec_has_no_fields(tmp_path):
    (tmp_path / "a.yaml").write_text("kind: Role\nmetadata: {name: x}\n")
    without = read_documents(tmp_path / "a.yaml")[0]
    assert fields_of(without, ("it",)) == {}
    with pytest.raises(ConfigError, match=r"needs spec.it"):
        fields_of(without, ("it",), ("it",))


def test_a_list_of_texts_holds_at_least_one(document):
    assert texts_of(entry(document("{it: [a, 1]}"))) == ["a", "1"]
    for spec, says in (
        ("{it: []}", "is empty; name at least one"),
        ("{it: a}", "must be a list"),
        ("{it: [[]]}", "text"),
    ):
        with pytest.raises(ConfigError, match=rf"a.yaml:3: spec.it.*{says}"):
            texts_of(entry(document(spec)))


def test_a_role_is_named_and_known(document):
    assert role_of(entry(document("{it: {name: reader}}")), ROLES) is ROLES["reader"]
    with pytest.raises(ConfigError, match=r"a.yaml:3: spec.it.name names no Role: 'raeder'; did you mean 'reader'"):
        role_of(entry(document("{it: {name: raeder}}")), ROLES)
    with pytest.raises(ConfigError, match=r"a.yaml:3: spec.it needs the name of a Role"):
        role_of(entry(document("{it: {}}")), ROLES)


def test_a_pattern_is_valid(document):
    assert pattern_of(entry(document("{it: ^a$}"))) == ScopePattern("^a$")
    with pytest.raises(ConfigError, match=r"a.yaml:3: spec.it is not a valid pattern: missing \)"):
        pattern_of(entry(document("{it: (a}")))


def test_paths_are_relative_to_the_file_that_names_them(document, tmp_path):
    assert relative_to(document("{}"), "keys.json") == tmp_path / "keys.json"
    assert relative_to(document("{}"), "/etc/keys.json") == Path("/etc/keys.json")
