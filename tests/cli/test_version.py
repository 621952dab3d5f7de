"""`version`: as text and as JSON."""

import io
import json
import platform

import pytest

from simple_registry import __version__
from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.cli.version import version


def run(*words):
    stdout = io.StringIO()
    assert version(words, stdout) == 0
    return stdout.getvalue()


def test_the_text_has_both_versions():
    said = f"simple-registry {__version__} ({platform.python_implementation()} {platform.python_version()})\n"
    assert run() == said


def test_the_json_has_the_same_versions():
    assert json.loads(run("-json")) == {
        "version": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
    }


def test_the_switch_is_the_command(capsys):
    assert main(["-version"]) == 0
    assert capsys.readouterr().out == run()


def test_wrong_arguments_are_refused():
    with pytest.raises(UsageError):
        run("-yaml")


def test_help():
    assert run("-help").startswith("usage: simple-registry version")
