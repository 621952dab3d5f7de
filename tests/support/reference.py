"""What is generated: tables of options and fields in documents, the JSON Schema, completion scripts and the man page.

`make reference` writes them; `tests/docs/test_reference.py` fails when they are not as they would be written.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from harness.command_pages import completion_scripts, man_page
from simple_registry.cli.options import OPTIONS
from simple_registry.config.kinds import KINDS
from simple_registry.config.schema import json_schema
from simple_registry.config.shapes import Fields, ListOf, MapOf, Text
from support.sources import ROOT

SCHEMA = ROOT / "docs/schema/simple-registry.schema.json"
REFERENCES = (ROOT / "docs/reference.md", ROOT / "docs/reference-policies.md")
"""Each kind has its place on one of them."""
COMPLETIONS = ROOT / "src/simple_registry/cli/completions"
MAN_PAGE = ROOT / "packaging/man/simple-registry.1"
CONFIGURATION = ROOT / "docs/configuration.md"


def generated() -> dict[Path, str]:
    """Return the whole text of each file with generated parts."""
    references = {path: path.read_text("utf-8") for path in REFERENCES}
    for kind in KINDS.values():
        name, meaning = f"kind {kind.name}", f"{kind.meaning[0].upper()}{kind.meaning[1:]}.\n\n"
        page = next((path for path, text in references.items() if _begin(name) in text), REFERENCES[0])
        references[page] = _replaced(references[page], name, meaning + _table(_fields(kind.spec)))
    return {
        **references,
        CONFIGURATION: _replaced(CONFIGURATION.read_text("utf-8"), "options", _table(_options())),
        SCHEMA: json.dumps(json_schema(), indent=2) + "\n",
        **{COMPLETIONS / shell: script for shell, script in completion_scripts().items()},
        MAN_PAGE: man_page(),
    }


def _replaced(text: str, name: str, block: str) -> str:
    """Return a document with another block between two marks."""
    begin, end = _begin(name), "<!-- end -->\n"
    before, found, rest = text.partition(begin)
    assert found, f"there is no place for {name}"
    return before + begin + block + end + rest.partition(end)[2]


def _begin(name: str) -> str:
    return f"<!-- generated: {name} -->\n"


def _table(rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + "\n"


def _options() -> list[tuple[str, ...]]:
    rows = [("option", "environment variable", "default", "meaning")]
    for option in OPTIONS:
        names = [f"`-{name}`" for name in (option.name, *option.aliases)]
        spelled = names[0] + (f" ({', '.join(names[1:])})" if names[1:] else "")
        several = "blanks" if option.separator is None else f"`{option.separator}`"
        variable = f"`{option.variable}`" + (f" (several: separated by {several})" if option.repeatable else "")
        meaning = option.meaning + ("; may be repeated" if option.repeatable else "")
        default = option.default if option.default in {"none", "one per core"} else f"`{option.default}`"
        rows.append((spelled, variable, default, f"{meaning}. {option.details}" if option.details else meaning))
    return rows


def _fields(spec: Fields) -> list[tuple[str, ...]]:
    return [("field of `spec`", "what", "needed", "without it", "meaning"), *_rows(spec, "")]


def _rows(mapping: Fields, prefix: str) -> Iterator[tuple[str, ...]]:
    for field in mapping.fields:
        path = prefix + field.name
        if field.meaning:  # a section of settings has none
            needed = "yes" if field.required else "one of them" if field.name in mapping.one_of else "no"
            cells = (f"`{path}`", _described(field.shape), needed, field.default, field.meaning)
            yield tuple(cell.replace("|", "\\|") for cell in cells)
        match field.shape:
            case Fields() as inner:
                yield from _rows(inner, f"{path}.")
            case ListOf(inner=Fields() as inner):
                yield from _rows(inner, f"{path}[].")


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
    raise TypeError(shape)


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text, "utf-8")
