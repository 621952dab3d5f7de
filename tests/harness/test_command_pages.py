"""Completion scripts and the man page have every command and every option."""

import re

import pytest

from harness.command_pages import completion_scripts, man_page
from simple_registry.cli.commands import COMMANDS
from simple_registry.cli.completion import SHELLS
from simple_registry.cli.main import help_of
from simple_registry.cli.options import OPTIONS, described_options

SCRIPTS = completion_scripts()
PAGE = man_page().replace("\\-", "-")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_script_has_every_command_and_its_options(shell, command):
    script = SCRIPTS[shell]
    assert re.search(rf"(?<![\w-]){command}(?![\w-])", script)
    for option in [] if command == "help" else described_options(help_of(command)):
        spelled = {"fish": f"-l {option.name}"}.get(shell, f"--{option.name}")
        assert re.search(rf"{spelled}(?![\w-])", script), option


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_completes_both_spellings_of_options(shell):
    one, two = {"fish": ("-o datadir", "-l datadir")}.get(shell, ("-datadir", "--datadir"))
    assert one in SCRIPTS[shell]
    assert two in SCRIPTS[shell]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_man_page_describes_every_command(command):
    assert f"'simple-registry {command}'" in PAGE
    assert COMMANDS[command].meaning.replace("'", "") in PAGE.replace("'", "")


def test_the_man_page_describes_every_option():
    assert [option.name for option in OPTIONS if f"-{option.name}" not in PAGE] == []


def test_no_text_is_taken_for_a_request_of_the_formatter():
    requests = {line.split()[0] for line in PAGE.splitlines() if line[:1] in {".", "'"}}
    assert requests <= {".TH", ".SH", ".SS", ".TP", ".B", ".RS", ".RE"}
