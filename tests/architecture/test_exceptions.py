"""Exceptions have names of one scheme, which `ARCHITECTURE.md` draws."""

import ast
import re

import pytest

from support.sources import ROOT, modules

DRAWN = re.search(
    r"^## Exceptions\n(.*?)^## ", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)[1]
NAMED = set(re.findall(r"(?<!…)\b[A-Z]\w+\b", DRAWN))
ROOTS = {"Exception": "Fault", "ValueError": "Invalid"}
"""The ending of the name, by the base class."""

CLASSES = [
    (node.name, base.id)
    for path in modules().values()
    for node in ast.walk(ast.parse(path.read_text("utf-8")))
    if isinstance(node, ast.ClassDef)
    for base in node.bases
    if isinstance(base, ast.Name)
]
DIRECT = sorted({(name, base) for name, base in CLASSES if base in ROOTS and not name.startswith("_")})


@pytest.mark.parametrize(("name", "base"), DIRECT)
def test_an_exception_has_the_suffix_of_its_base_or_is_drawn(name, base):
    assert name.endswith(ROOTS[base]) or name in NAMED


def test_every_exception_of_the_drawing_exists():
    ours = {name for name, _ in CLASSES}
    assert NAMED & {name for name, _ in DIRECT}
    assert {name for name in NAMED if name.endswith(("Error", "Fault")) and name != "ValueError"} <= ours


def test_no_exception_has_another_base_of_the_language():
    builtin = {"BaseException", "RuntimeError", "OSError", "TypeError", "KeyError", "LookupError", "ArithmeticError"}
    assert [name for name, base in CLASSES if base in builtin] == []
