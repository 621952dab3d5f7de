"""The shells take the completion scripts and complete with them; man takes the page."""

import os
import shutil
import subprocess

import pytest

from e2e.commands import unavailable
from harness import ROOT
from simple_registry.cli.commands import COMMANDS

pytestmark = pytest.mark.installation

SCRIPTS = ROOT / "src/simple_registry/cli/completions"
BASH = """
source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_shtab_simple_registry; printf "%s\\n" "${COMPREPLY[@]}"
"""
FISH = 'source $argv[1]; complete -C "$argv[2]"'


def run(program, *words, folder=ROOT):
    """Run a program; return standard output. It must print no errors."""
    path = shutil.which(program) or unavailable(f"{program} is not installed")
    environment = os.environ | {"HOME": str(folder), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [path, *map(str, words)], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def in_bash(folder, *words):
    said = run("bash", "--norc", "-c", BASH, "bash", SCRIPTS / "bash", "simple-registry", *words, folder=folder)
    return set(said.split())


def in_fish(folder, *words):
    line = " ".join(["simple-registry", *words])
    said = run("fish", "--no-config", "-c", FISH, SCRIPTS / "fish", line, folder=folder)
    return {offered.partition("\t")[0] for offered in said.splitlines()}


@pytest.fixture(params=[in_bash, in_fish])
def complete(request, tmp_path):
    """Return what a shell offers for the last of some words, in a folder with a file and a directory."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "data.tar").touch()
    return lambda *words: request.param(tmp_path, *words)


def test_every_command_is_offered(complete):
    assert complete("") >= COMMANDS.keys()
    assert complete("fs") == {"fsck"}


def test_options_are_offered_with_one_dash_and_with_two(complete):
    assert "-deep" in complete("fsck", "-de")
    assert complete("fsck", "--de") == {"--deep"}
    assert complete("fsck", "-deep", "--re") == {"--repair"}


def test_options_of_the_server_are_offered_without_a_command(complete):
    assert complete("--datad") == {"--datadir"}


def test_words_of_a_command_are_offered(complete):
    assert complete("policy", "") >= {"check", "test", "diff", "schema"}
    assert complete("completion", "") == {"bash", "zsh", "fish"}
    assert complete("help", "gar") == {"garbage-collect"}


def test_a_value_that_is_a_directory_is_completed_as_one(complete):
    assert {each.rstrip("/") for each in complete("fsck", "-datadir", "d")} == {"documents"}
    assert {each.rstrip("/") for each in complete("fsck", "--datadir", "d")} == {"documents"}


def test_files_are_offered_where_a_command_takes_them(complete):
    assert {each.rstrip("/") for each in complete("import", "d")} == {"documents", "data.tar"}


def test_zsh_takes_its_script(tmp_path):
    script = 'autoload -Uz compinit && compinit -u; eval "$(< $1)"; print $_comps[simple-registry]'
    assert run("zsh", "--no-rcs", "-c", script, "zsh", SCRIPTS / "zsh", folder=tmp_path) == "_shtab_simple_registry\n"


def test_man_takes_the_page_without_a_warning(tmp_path):
    page = ROOT / "packaging/man/simple-registry.1"
    shown = run("man", "--warnings", "--encoding=UTF-8", "--local-file", page, folder=tmp_path)
    assert "fsck" in shown
    assert "-datadir DIRECTORY" in shown
