"""The table of commands: each has its code, and is given what it takes."""

import inspect
from importlib import import_module

import pytest

from simple_registry.cli.commands import COMMANDS

WITH_CODE = {name: command for name, command in COMMANDS.items() if command.code}


@pytest.mark.parametrize("name", WITH_CODE)
def test_a_command_is_given_what_its_function_takes(name):
    module, _, function = WITH_CODE[name].code.partition(":")
    signature = inspect.signature(getattr(import_module(f"simple_registry.cli.{module}"), function))
    taken = [each.name for each in signature.parameters.values() if each.kind is not each.KEYWORD_ONLY]
    given = [{"stdout.buffer": "pipe", "stdin.buffer": "pipe"}.get(part, part) for part in WITH_CODE[name].given]
    assert taken == ["arguments", *given]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_meaning_is_one_short_line(name):
    meaning = COMMANDS[name].meaning
    assert len(meaning) < 80
    assert not meaning.endswith(".")
