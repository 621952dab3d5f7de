"""A validator for the keywords of JSON Schema that our schema uses; it refuses unknown keywords."""

import re

TYPES = {"object": dict, "array": list, "string": str, "number": (int, float)}
ABOUT = {"$schema", "title", "description"}


def problems(schema, value, path="$"):
    """Yield what is wrong with a value."""
    for word, said in schema.items():
        if word not in ABOUT | {"then"}:
            yield from (f"{path}: {problem}" for problem in WORDS[word](said, value, schema))


def fits(schema, value):
    return not list(problems(schema, value))


def _type(said, value, _):
    names = [said] if isinstance(said, str) else said
    if isinstance(value, bool):
        yield from [] if "boolean" in names else [f"is no {said}"]
    elif "boolean" in names or not isinstance(value, tuple(_flat(TYPES[name] for name in names))):
        yield f"is no {said}"


def _flat(types):
    for each in types:
        yield from each if isinstance(each, tuple) else (each,)


def _properties(said, value, _):
    for name, inner in said.items():
        if isinstance(value, dict) and name in value:
            yield from problems(inner, value[name], name)


def _additional(said, value, schema):
    for name in value.keys() - schema.get("properties", {}).keys() if isinstance(value, dict) else ():
        yield from [f"{name} is unknown"] if said is False else problems(said, value[name], name)


def _items(said, value, _):
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from problems(said, item, f"[{index}]")


def _if(said, value, schema):
    if fits(said, value):
        yield from problems(schema["then"], value)


WORDS = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "if": _if,
    "enum": lambda said, value, _: [] if value in said else [f"{value!r} is none of {said}"],
    "const": lambda said, value, _: [] if value == said else [f"is not {said!r}"],
    "required": lambda said, value, _: [f"{name} is missing" for name in said if name not in value],
    "minItems": lambda said, value, _: ["is too short"] if len(value) < said else [],
    "minLength": lambda said, value, _: ["is too short"] if len(value) < said else [],
    "pattern": lambda said, value, _: [] if re.search(said, value) else [f"does not match {said}"],
    "allOf": lambda said, value, _: [problem for each in said for problem in problems(each, value)],
    "anyOf": lambda said, value, _: [] if any(fits(each, value) for each in said) else ["fits none"],
    "oneOf": lambda said, value, _: [] if sum(fits(each, value) for each in said) == 1 else ["fits not exactly one"],
}
