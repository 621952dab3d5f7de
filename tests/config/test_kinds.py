"""The table of fields and the readers of documents say the same, in both directions."""

import re

import pytest

from simple_registry.config.fields import FIELDS
from simple_registry.config.kinds import CONFIGURATION, KINDS, ListOf, Text, mappings_of, paths_of
from simple_registry.config.load import KINDS as LOADED, LATER_FIELDS, load_access, load_settings
from simple_registry.config.values import ConfigError
from support.kinds import at, changed, full_documents, write

MAPPINGS = [(kind.name, prefix, mapping) for kind in KINDS for prefix, mapping in mappings_of(kind.spec)]
FIELDS_OF = [(kind, prefix, mapping, field) for kind, prefix, mapping in MAPPINGS for field in mapping.fields]


def load(directory, documents):
    write(directory, documents.values())
    load_settings({}, {}, [directory])
    return load_access([directory], None)


def test_every_kind_is_in_the_table():
    assert {kind.name for kind in KINDS} == set(LOADED)


def test_the_full_documents_say_everything_and_load(tmp_path):
    for kind, prefix, mapping in MAPPINGS:
        there = set(at(full_documents()[kind]["spec"], prefix))
        assert there | set(mapping.one_of) == {field.name for field in mapping.fields}
    load(tmp_path, full_documents())


@pytest.mark.parametrize(("kind", "prefix", "mapping"), MAPPINGS)
def test_a_reader_knows_the_fields_of_the_table_and_no_other(tmp_path, kind, prefix, mapping):
    documents = changed(kind, prefix, lambda fields: fields.update(zzzzzz="x"))
    with pytest.raises(ConfigError, match="zzzzzz is not a known field; known here: ") as refused:
        load(tmp_path, documents)
    later = {path.removeprefix(prefix) for path in LATER_FIELDS if path.startswith(prefix)}
    later = {path.partition(".")[0] for path in later} if kind == "Configuration" else set()
    known = set(str(refused.value).partition("known here: ")[2].split(", "))
    assert known == {field.name for field in mapping.fields} | later


@pytest.mark.parametrize(("kind", "prefix", "mapping", "field"), FIELDS_OF)
def test_a_field_that_is_needed_is_missed_and_no_other(tmp_path, kind, prefix, mapping, field):
    documents = changed(kind, prefix, lambda fields: fields.pop(field.name, None))
    alone = field.name in mapping.one_of and field.name in at(full_documents()[kind]["spec"], prefix)
    pair = field.name in {"certfile", "keyfile"}  # one of them without the other is no TLS
    if field.required or alone or pair:
        with pytest.raises(ConfigError):
            load(tmp_path, documents)
    else:
        load(tmp_path, documents)


@pytest.mark.parametrize(
    ("kind", "prefix", "both"),
    [
        ("Token", "", {"value": "0123456789abcdef"}),
        ("TokenIssuer", "keys.", {"jwksFile": "x"}),
        ("TokenIssuer", "keys.", {"pem": ["x"]}),
    ],
)
def test_of_fields_that_exclude_each_other_one_is_there(tmp_path, kind, prefix, both):
    with pytest.raises(ConfigError, match="needs"):
        load(tmp_path, changed(kind, prefix, lambda fields: fields.update(both)))


WORDS = [
    (kind, prefix, field.name, isinstance(field.shape, ListOf), word)
    for kind, prefix, _, field in FIELDS_OF
    for shape in [field.shape.inner if isinstance(field.shape, ListOf) else field.shape]
    if isinstance(shape, Text)
    for word in shape.words
    if (field.name, word) != ("kind", "User")  # there is no user of that name in the full documents
]


@pytest.mark.parametrize(("kind", "prefix", "name", "many", "word"), WORDS)
def test_every_word_is_understood(tmp_path, kind, prefix, name, many, word):
    load(tmp_path, changed(kind, prefix, lambda fields: fields.update({name: [word] if many else word})))


@pytest.mark.parametrize(("kind", "prefix", "name", "many"), sorted({word[:4] for word in WORDS}))
def test_no_other_word_is_understood(tmp_path, kind, prefix, name, many):
    with pytest.raises(ConfigError):
        load(tmp_path, changed(kind, prefix, lambda fields: fields.update({name: ["zzz"] if many else "zzz"})))


def test_a_configuration_sets_what_the_settings_have():
    paths = {path for path in paths_of(CONFIGURATION.spec) if not re.search(r"\.$", path)}
    assert paths == {field.path for field in FIELDS if field.path}
    many = {field.path for field in FIELDS if field.many}
    assert {path for path, field in paths_of(CONFIGURATION.spec).items() if isinstance(field.shape, ListOf)} == many
