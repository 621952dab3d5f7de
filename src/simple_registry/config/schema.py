"""What editors and people read about documents, made of the table in `config.kinds`.

`docs/schema/simple-registry.schema.json` is what `simple-registry policy schema` prints, and the tables of
`docs/reference.md` are `reference_rows`; tests compare them.
"""

from collections.abc import Mapping, Sequence

from simple_registry.config.documents import API_VERSION
from simple_registry.config.kinds import KINDS, Fields, Kind, ListOf, MapOf, Text, mappings_of, paths_of

Json = Mapping[str, object]

DIALECT = "http://json-schema.org/draft-07/schema#"  # what editors of YAML know


def reference_rows(kind: Kind) -> Sequence[str]:
    """Return the rows of the reference's table of a kind."""
    one_of = {f"{prefix}{name}" for prefix, fields in mappings_of(kind.spec) for name in fields.one_of}
    rows = []
    for path, field in paths_of(kind.spec).items():
        needed = "yes" if field.required else "one of them" if path in one_of else "no"
        cells = (f"`{path}`", _described(field.shape), needed, field.default, field.meaning)
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def json_schema() -> Json:
    """Return the JSON Schema of one document."""
    metadata = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "description": "unique among documents of its kind"},
            "labels": {"type": "object"},
            "annotations": {"type": "object"},
        },
        "required": ["name"],
        "additionalProperties": False,
    }
    return {
        "$schema": DIALECT,
        "title": "Simple Registry document",
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"enum": [kind.name for kind in KINDS]},
            "metadata": metadata,
            "spec": {"type": "object"},
        },
        "required": ["kind", "metadata"],
        "additionalProperties": False,
        "allOf": [_of_kind(kind) for kind in KINDS],
    }


def _of_kind(kind: Kind) -> Json:
    then: dict[str, object] = {"properties": {"spec": {**_schema(kind.spec), "description": kind.meaning}}}
    if kind.spec.one_of or any(field.required for field in kind.spec.fields):
        then["required"] = ["spec"]
    return {"if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]}, "then": then}


def _schema(shape: Text | ListOf | MapOf | Fields) -> Json:
    match shape:
        case Text():
            return _schema_of_text(shape)
        case ListOf():
            items: dict[str, object] = {"type": "array", "items": _schema(shape.inner)}
            if not shape.empty:
                items["minItems"] = 1
            return {"anyOf": [_schema(shape.inner), items]} if shape.or_one else items
        case MapOf():
            return {"type": "object", "additionalProperties": _schema(shape.inner)}
        case Fields():
            return _schema_of_fields(shape)


def _schema_of_text(text: Text) -> Json:
    if text.words:
        return {"enum": list(text.words)}
    schema: dict[str, object] = {"type": ["string", "number"] if text.number else "string"}
    if text.pattern is not None:
        schema["pattern"] = text.pattern
    return schema


def _schema_of_fields(fields: Fields) -> Json:
    properties = {
        field.name: {**_schema(field.shape), **({"description": field.meaning} if field.meaning else {})}
        for field in fields.fields
    }
    schema: dict[str, object] = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [field.name for field in fields.fields if field.required]
    if required:
        schema["required"] = required
    if fields.one_of:
        schema["oneOf"] = [{"required": [name]} for name in fields.one_of]
    return schema


def _described(shape: Text | ListOf | MapOf | Fields) -> str:
    match shape:
        case Text():
            words = {word.lower(): word for word in reversed(shape.words)}.values()  # in one of their cases
            return ", ".join(f"`{word}`" for word in reversed(words)) or shape.what
        case ListOf(inner=Fields()):
            return "list of mappings"
        case ListOf():
            return f"{f'{_described(shape.inner)} or ' if shape.or_one else ''}list of {_described(shape.inner)}"
        case MapOf():
            return f"mapping of {shape.key} to {_described(shape.inner)}"
        case Fields():
            return "mapping"
