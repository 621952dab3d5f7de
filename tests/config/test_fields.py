"""Documents and code name the same settings, in both directions."""

import re
from dataclasses import fields, is_dataclass
from operator import attrgetter
from pathlib import Path

from simple_registry.cli.options import COMMANDS, OPTIONS
from simple_registry.config.fields import FIELDS, settings_from
from simple_registry.config.settings import Settings, Tls

DOCUMENT = Path(__file__).parents[2] / "docs/configuration.md"
ELSEWHERE = {"administrator", "config_dirs", "warnings"}  # put together by load_settings from several options


def rows(*columns):
    """Return the rows of the tables of the document that have these first columns."""
    lines = DOCUMENT.read_text().splitlines()
    found = []
    for index, line in enumerate(lines):
        if line.startswith("| " + " | ".join(columns) + " |"):
            for row in lines[index + 2 :]:
                if not row.startswith("|"):
                    break
                found.append([cell.strip() for cell in row.strip("|").split("|")])
    return found


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


def attributes(value, prefix=""):
    for member in fields(value):
        inner = getattr(value, member.name)
        if is_dataclass(inner) and member.name in {"limits", "garbage_collection", "web"}:
            yield from attributes(inner, f"{member.name}.")
        elif member.name == "tls":
            yield from (f"tls.{part.name}" for part in fields(Tls))
        else:
            yield prefix + member.name


def test_every_attribute_of_settings_can_be_set():
    assert set(attributes(Settings())) - ELSEWHERE == {field.attribute for field in FIELDS}


def test_every_option_variable_and_other_spelling_is_documented_and_nothing_else():
    documented = rows("option", "environment variable")
    assert [names(row[0]) for row in documented if row[0]] != []
    assert {tuple(name.removeprefix("-") for name in names(row[0])) for row in documented} == {
        (option.name, *option.aliases) for option in OPTIONS
    }
    assert {names(row[1])[0] for row in documented} == {option.variable for option in OPTIONS}


def test_every_command_is_documented_and_nothing_else():
    assert {names(row[0])[0] for row in rows("command", "what it does")} == set(COMMANDS)


def test_every_file_field_is_documented_with_its_default_and_nothing_else():
    documented = {names(row[0])[0]: row[1] for row in rows("field of `spec`", "default")}
    by_path = {field.path: field for field in FIELDS if field.path}
    assert set(documented) == set(by_path)
    defaults = Settings()
    for path, cell in documented.items():
        field = by_path[path]
        if cell == "none":
            assert field.attribute.startswith("tls.") or not attrgetter(field.attribute)(defaults)
            continue
        (text,) = names(cell)
        section, _, name = field.attribute.rpartition(".")
        parsed = (field.parse(text),) if field.many else field.parse(text)
        assert parsed == getattr(getattr(defaults, section) if section else defaults, name)


def test_every_option_of_a_setting_exists():
    assert {field.option for field in FIELDS if field.option} <= {option.name for option in OPTIONS}


def test_values_land_in_their_sections():
    made = settings_from({"limits.sessions": 3, "workers": 2})
    assert (made.limits.sessions, made.limits.tags_per_push, made.workers) == (3, 64, 2)
