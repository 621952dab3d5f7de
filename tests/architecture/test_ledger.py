"""`docs/conformance.md` names a module and a test for every rule; both must be there."""

import ast
import re
from functools import cache

import pytest

from support.sources import ROOT, modules

LEDGER = (ROOT / "docs" / "conformance.md").read_text("utf-8")
CELLS = [
    [cell.strip() for cell in line.strip("|").split(" | ")] for line in LEDGER.splitlines() if line.startswith("| ")
]
ROWS = [cells for cells in CELLS if len(cells) == 5 and cells[0] != "rule"]
LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "OPTIONAL"}
NAMES = modules()


@cache
def functions_of(path):
    tree = ast.parse((ROOT / "tests" / f"{path}.py").read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def test_the_ledger_has_its_rows():
    assert len(ROWS) > 90


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_rule_has_a_module_and_a_test_that_exist(row):
    _rule, level, since, module, test = row
    assert level in LEVELS
    assert since in {"1.1", "head"}
    assert quoted(module)
    assert [name for name in quoted(module) if name not in NAMES] == []
    named = [each.split("::") for each in quoted(test)]
    assert named
    assert [f"{path}::{name}" for path, name in named if name not in functions_of(path)] == []


@pytest.mark.parametrize("number", [*range(1, 15)])
def test_every_endpoint_of_the_specification_has_its_section(number):
    assert re.search(rf"^## .*\bend-{number}[abc]?\b", LEDGER, re.MULTILINE)
