"""The guide to the audit stream names every event and field, and its examples hold."""

import json
import re
from pathlib import Path

from simple_registry.http.events import Event, EventName

OPERATIONS = (Path(__file__).parents[2] / "docs/operations.md").read_text("utf-8")
SECTION = OPERATIONS.partition("\n## Audit\n")[2].partition("\n## ")[0]
EVENTS, FIELDS = (
    [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([a-z.]+)`", row)]
    for table in (
        SECTION.partition("| event |")[2].partition("| field |")[0],
        SECTION.partition("| field |")[2].partition("\nWhat is not in it")[0],
    )
)
"""The first column of both tables."""


def test_every_event_has_a_row():
    assert [name.value for name in EventName] == EVENTS


def test_every_field_has_a_row():
    source = (Path(__file__).parents[2] / "src/simple_registry/http/audit.py").read_text("utf-8")
    written = set(re.findall(r'"([a-z]+)": ', source)) | set(Event.__struct_fields__[1:]) | {"time"}
    assert set(FIELDS) == written
    assert len(FIELDS) == len(written)


def test_the_example_is_a_line_with_fields_in_their_order():
    line = json.loads(next(line for line in SECTION.splitlines() if line.startswith("    {")))
    assert list(line) == [name for name in FIELDS if name in line]
