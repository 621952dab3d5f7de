"""The page on the audit log has every event and field, and its examples hold."""

import json
import re

from simple_registry.http.events import Event, EventName
from support.sources import ROOT

PAGE = (ROOT / "docs/operations/audit.md").read_text("utf-8")
EVENTS, FIELDS = (
    [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([a-z.]+)`", row)]
    for table in (
        PAGE.partition("| event |")[2].partition("| field |")[0],
        PAGE.partition("| field |")[2].partition("\nNot recorded")[0],
    )
)
"""The first column of both tables."""


def test_every_event_has_a_row():
    assert [name.value for name in EventName] == EVENTS


def test_every_field_has_a_row():
    source = (ROOT / "src/simple_registry/http/audit.py").read_text("utf-8")
    written = set(re.findall(r'"([a-z]+)": ', source)) | set(Event.__struct_fields__[1:]) | {"time"}
    assert set(FIELDS) == written
    assert len(FIELDS) == len(written)


def test_the_example_is_a_line_with_fields_in_their_order():
    line = json.loads(next(line for line in PAGE.splitlines() if line.startswith("    {")))
    assert list(line) == [name for name in FIELDS if name in line]
