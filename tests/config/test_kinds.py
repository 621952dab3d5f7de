"""Every kind of document loads with every field, and is refused without those that it needs."""

import pytest

from simple_registry.config.configuration import configuration_of, settings_of
from simple_registry.config.kinds import KINDS
from simple_registry.config.load import load_access, read_documents
from simple_registry.config.shapes import ListOf, Text
from simple_registry.config.values import ConfigError
from support.kinds import at, changed, full_documents, mappings, write

MAPPINGS = [(kind.name, prefix, mapping) for kind in KINDS.values() for prefix, mapping in mappings(kind.spec)]
FIELDS_OF = [(kind, prefix, mapping, field) for kind, prefix, mapping in MAPPINGS for field in mapping.fields]


def load(directory, documents):
    write(directory, documents.values())
    settings_of(configuration_of(read_documents([directory])), {}, {})
    return load_access([directory])


def test_the_full_documents_have_every_field_and_load(tmp_path):
    for kind, prefix, mapping in MAPPINGS:
        there = set(at(full_documents()[kind]["spec"], prefix))
        assert there | set(mapping.one_of) == {field.name for field in mapping.fields}
    load(tmp_path, full_documents())


@pytest.mark.parametrize(("kind", "prefix", "mapping"), MAPPINGS)
def test_an_unknown_field_is_refused_with_those_that_are_known(tmp_path, kind, prefix, mapping):
    documents = changed(kind, prefix, lambda fields: fields.update(zzzzzz="x"))
    known = ", ".join(sorted(field.name for field in mapping.fields))
    with pytest.raises(ConfigError, match=f"zzzzzz is not a known field; known here: {known}$"):
        load(tmp_path, documents)


@pytest.mark.parametrize(("kind", "prefix", "mapping", "field"), FIELDS_OF)
def test_a_required_field_is_missed_and_no_other(tmp_path, kind, prefix, mapping, field):
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
        ("Token", "", {"value": "0123456789abcdef0123456789abcdef"}),
        ("TokenIssuer", "keys.", {"jwksFile": "x"}),
        ("TokenIssuer", "keys.", {"pem": ["x"]}),
    ],
)
def test_exactly_one_of_exclusive_fields_is_present(tmp_path, kind, prefix, both):
    with pytest.raises(ConfigError, match="needs exactly one of"):
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
