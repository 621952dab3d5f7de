"""The JSON Schema of documents, built from their shapes: `simple-registry policy schema` prints it for editors."""

from collections.abc import Mapping

from simple_registry.config.documents import API_VERSION
from simple_registry.config.kinds import KINDS
from simple_registry.config.shapes import BOOLEAN, Fields, Kind, ListOf, MapOf, Shape, Text

Json = Mapping[str, object]

DIALECT = "http://json-schema.org/draft-07/schema#"  # the one that YAML editors support


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
            "kind": {"enum": list(KINDS)},
            "metadata": metadata,
            "spec": {"type": "object"},
        },
        "required": ["kind", "metadata"],
        "additionalProperties": False,
        "allOf": [_of_kind(kind) for kind in KINDS.values()],
    }


def _of_kind(kind: Kind) -> Json:
    then: dict[str, object] = {"properties": {"spec": {**_schema(kind.spec), "description": kind.meaning}}}
    if kind.spec.one_of or any(field.required for field in kind.spec.fields):
        then["required"] = ["spec"]
    return {"if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]}, "then": then}


def _schema(shape: Shape) -> Json:
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
    if text is BOOLEAN:
        return {"type": "boolean"}
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
