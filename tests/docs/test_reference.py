"""The reference agrees with the code."""

import re

import pytest

from simple_registry.cli.commands import COMMANDS
from support.reference import CONFIGURATION, generated
from support.sources import ROOT


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_generated_parts_are_up_to_date(path):
    assert path.read_text("utf-8") == generated()[path], f"run: make reference, and commit {path.relative_to(ROOT)}"


def test_every_command_is_documented_and_nothing_else():
    rows = re.search(r"^\| command \|.*\n\|.*\n((?:\|.*\n)*)", CONFIGURATION.read_text(), re.MULTILINE)[1]
    assert re.findall(r"^\| `([a-z-]+)`", rows, re.MULTILINE) == list(COMMANDS)
