"""The guide to the log: its examples are lines that the program writes, and its tables have every field and line."""

import ast
import ipaddress
import json
import re
from datetime import datetime

import pytest

from simple_registry.http.access_log import MESSAGE, logger
from simple_registry.server.logging import JsonFormatter, TextFormatter
from support.front import Front, basic
from support.sources import ROOT, modules
from support.stores import in_memory
from support.time import SettableClock

PAGE = (ROOT / "docs/operations/logs.md").read_text("utf-8")
EXAMPLES = [line.strip() for line in PAGE.splitlines() if line.startswith("    ")]
TEXT, JSON = EXAMPLES
FIELDS, LINES = PAGE.partition("| field |")[2].split("| line |")
NAMES = [name for row in re.findall(r"^\| (`.*?) \|", FIELDS, re.MULTILINE) for name in re.findall(r"`([a-z]+)`", row)]
LISTED = [line for row in re.findall(r"^\| (`.*?`) \|", LINES, re.MULTILINE) for line in re.findall(r"`([^`]+)`", row)]
METHODS = {"log", "info", "warning", "error", "exception"}
TOLD_ELSEWHERE = {"request": "the fields have a table of their own"}
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def as_text(example):
    """Return the fields of a line of text, quoted values without their quotes."""
    facts = re.findall(r' (\w+)=("(?:[^"\\]|\\.)*"|\S+)', example)
    return {name: json.loads(value) if value.startswith('"') else value for name, value in facts}


def test_the_example_of_json_is_written_as_the_program_writes_it():
    line = json.loads(JSON)
    fields = {name: value for name, value in line.items() if name not in {"time", "level", "logger", "message"}}
    created = datetime.fromisoformat(line["time"]).timestamp() + 0.0001
    assert (line["logger"], line["message"]) == (logger.name, MESSAGE)
    assert JsonFormatter().line(created, line["level"], line["logger"], line["message"], fields) == JSON


def test_the_example_of_text_is_written_as_the_program_writes_it():
    created = datetime.fromisoformat(TEXT.partition(" ")[0]).timestamp() + 0.0001
    assert TextFormatter().line(created, "info", logger.name, MESSAGE, as_text(TEXT)) == TEXT


@pytest.fixture
def lines(caplog):
    """Lines of a request that is answered, of one that is refused, and of one that is none."""
    caplog.set_level("INFO", logger=logger.name)
    clock = SettableClock()
    with Front(in_memory(clock), clock) as front:
        front.get("/v2/")
        front.get("/v2/", headers={"authorization": basic("admin", "wrong")})
        front.get("/v2/", headers=[("host", "a"), ("host", "b")])
    return [record.fields for record in caplog.records if record.name == logger.name]


def test_the_table_has_every_field_in_the_order_of_a_line(lines):
    assert {name for line in lines for name in line} == set(NAMES)
    for example in (as_text(TEXT), json.loads(JSON), *lines):
        assert [name for name in example if name in NAMES] == [name for name in NAMES if name in example]


def test_the_examples_have_the_fields_of_real_lines_and_values_of_their_kind(lines):
    answered, refused, _ = lines
    assert list(as_text(TEXT)) == list(answered)
    example = json.loads(JSON)
    assert list(example)[4:] == list(refused)
    assert [type(example[name]) for name in refused] == [type(value) for value in refused.values()]
    assert (example["identity"], example["note"]) == (refused["identity"], refused["note"])
    for client in (as_text(TEXT)["client"], example["client"]):
        assert ipaddress.ip_address(client)


def logged():
    """Yield the module and the format of every line that the program logs as information or worse."""
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                continue
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            first = node.args[1 if node.func.attr == "log" and len(node.args) > 1 else 0]
            text = first.value if isinstance(first, ast.Constant) else None
            if owner in {"_log", "logger"} and node.func.attr in METHODS and isinstance(text, str) and text != "%s":
                yield name, text


def is_listed(text):
    """Tell whether the table has a line; what it leaves out at the end may be nothing at all."""
    said = re.sub(r"%[a-z]", "x", text)
    forms = [re.escape(line).replace(ELLIPSIS, ".+") for line in LISTED]
    return any(re.fullmatch(form, each) for form in forms for each in (said, f"{said}: x"))


def test_every_line_of_the_program_is_listed():
    found = list(logged())
    assert len(found) > 30
    assert [(module, text) for module, text in found if text not in TOLD_ELSEWHERE and not is_listed(text)] == []


def test_every_line_that_is_listed_is_one_of_the_program():
    source = "".join(path.read_text("utf-8") for path in modules().values())
    source = re.sub(r'"\s*\n\s*f?"', "", source)  # texts that are written in several pieces
    longest = [max(re.split(ELLIPSIS, line), key=len).strip() for line in LISTED]
    assert [text for text in longest if text not in re.sub(r"\{[^{}]*\}|%[a-z]", ELLIPSIS, source)] == []
