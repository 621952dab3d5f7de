"""`completion`: prints the script of a shell."""

import io

import pytest

from simple_registry.cli.completion import SHELLS, completion
from simple_registry.cli.options import UsageError


def run(*words):
    stdout = io.StringIO()
    return completion(words, stdout), stdout.getvalue()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_is_printed(shell):
    code, script = run(shell)
    assert code == 0
    assert "simple-registry" in script
    assert "https://github.com/tqdm/shtab" in script


@pytest.mark.parametrize("words", [(), ("tcsh",), ("bash", "zsh")])
def test_another_shell_is_a_mistake(words):
    with pytest.raises(UsageError):
        run(*words)


def test_the_help_says_where_scripts_belong():
    assert "share/bash-completion/completions" in run("-help")[1]
