"""Exit codes and their one line of output, through `main`."""

import os
import socket
import subprocess
import sys

import pytest

from simple_registry import __version__
from simple_registry.cli.commands import COMMANDS
from simple_registry.cli.main import main
from simple_registry.cli.options import OPTIONS

ADMIN = ("-adminpwd", "secret")


def run(*arguments, **environment):
    variables = {name: text for name, text in os.environ.items() if not name.startswith("SIMPLE_REGISTRY_")}
    command = [sys.executable, "-m", "simple_registry", *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env=variables | environment,
        stdin=subprocess.DEVNULL,
    )


def refusal(*arguments, **environment):
    """Return the one line with which the command refused to start."""
    done = run(*arguments, **environment)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("simple-registry: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_version_and_help_go_to_standard_output(capsys):
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith(f"simple-registry {__version__} (")
    for word in ("help", "-help", "--help", "-h"):
        assert main([word]) == 0
        assert "-adminpwd-file FILE" in capsys.readouterr().out


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"serve", "help"}))
@pytest.mark.parametrize("words", ["help {}", "{} -help", "{} --help", "{} -h", "-help {}"])
def test_the_help_of_a_command_is_its_own(capsys, command, words):
    assert main(words.format(command).split()) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: simple-registry {command}")
    assert "-adminpwd-file" not in said


@pytest.mark.parametrize("words", ["help serve", "serve -help", "serve --help"])
def test_the_help_of_serve_has_its_options_and_no_commands(capsys, words):
    assert main(words.split()) == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: simple-registry [serve] [OPTION ...]")
    assert all(f"-{option.name} " in said for option in OPTIONS)
    assert "can-i" not in said


def test_the_module_is_the_command():
    assert run("version").stdout.startswith(f"simple-registry {__version__}")


def test_an_unknown_flag():
    assert "did you mean -datadir?" in refusal("-datdir", "x")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-addr", "nonsense"), "-addr: 'nonsense' is not an address"),
        (("-workers", "many"), "-workers: 'many' is not a number of workers"),
        (("-log-level", "loud"), "-log-level: 'loud' is not accepted; known here: debug"),
        (("-adminpwd-file", "absent"), "cannot read the password file absent: No such file"),
        (("-cfgdir", "absent"), "-cfgdir absent: this directory does not exist"),
        (("-cfgdir", "/dev/null"), "-cfgdir /dev/null: this is not a directory"),
        (("-cert", "absent", "-key", "absent"), "cannot read the certificate absent: No such file"),
        (("-cert", "absent"), "give it with -key"),
        (("-adminname", "bob"), "-adminname: the administrator needs a password"),
    ],
)
def test_an_error_is_one_line_and_leaves_nothing(tmp_path, arguments, says):
    directory = tmp_path / "data"
    assert says in refusal("-datadir", str(directory), *arguments)
    assert not directory.exists()


def test_a_port_in_use_leaves_no_data_directory(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        addr = f"127.0.0.1:{other.getsockname()[1]}"
        said = refusal(*ADMIN, "-addr", addr, "-datadir", str(tmp_path / "data"))
    assert said == (
        f"simple-registry: cannot listen on {addr}: address already in use; "
        "stop the other program or choose another address with -addr\n"
    )
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_cannot_be_created(tmp_path):
    (tmp_path / "file").write_text("precious")
    said = refusal(*ADMIN, "-addr", "127.0.0.1:0", "-datadir", str(tmp_path / "file"))
    assert str(tmp_path / "file") in said
    assert (tmp_path / "file").read_text() == "precious"


def test_control_characters_of_arguments_are_escaped():
    assert "\\x1b" in refusal("-addr", "\x1b[31m")


def test_a_wrong_variable_is_named():
    assert "SIMPLE_REGISTRY_ADDR: 'x' is not an address" in refusal(SIMPLE_REGISTRY_ADDR="x")


@pytest.mark.parametrize("command", ["serve", "fsck", "token", "can-i", "policy"])
def test_a_variable_that_is_misspelt_is_refused_by_every_command(tmp_path, command):
    directory = tmp_path / "data"
    said = refusal(command, "-datadir", str(directory), SIMPLE_REGISTRY_ADMINPW="hunter2")
    assert "unknown variable 'SIMPLE_REGISTRY_ADMINPW'; did you mean SIMPLE_REGISTRY_ADMINPWD?" in said
    assert "hunter2" not in said
    assert not directory.exists()


def test_lost_documents_do_not_restore_the_administrator(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/users.yaml.disabled").write_text("kind: User\nmetadata: {name: bob}\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/format").write_text("simple-registry data directory, format 1\n")
    (tmp_path / "data/first-start-over").touch()
    said = refusal("-cfgdir", str(tmp_path / "rules"), "-datadir", str(tmp_path / "data"), "-addr", "127.0.0.1:0")
    assert "no document names a user or an issuer, as documents did before" in said
    assert not (tmp_path / "data/admin.hash").exists()


def test_a_password_that_cannot_be_used_is_not_shown():
    said = refusal("-adminpwd", "hunter2" * 20)
    assert "140 bytes" in said
    assert "hunter2" not in said


def test_genhash_without_a_password():
    assert "the password is empty" in refusal("genhash")


def test_a_closed_output_causes_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "simple_registry", "help"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == b""


def test_documents_that_do_not_load_start_nothing(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.yaml").write_text(
        "kind: Role\nmetadata: {name: x}\nspec: {resources: [layers], verbs: [pull]}\n"
    )
    line = refusal(
        "-cfgdir", str(tmp_path / "rules"), "-datadir", str(tmp_path / "data"), "-addr", "127.0.0.1:0", *ADMIN
    )
    assert f"{tmp_path}/rules/a.yaml:3: spec.resources[0] is wrong: 'layers' is not a resource" in line
    assert not (tmp_path / "data").exists()
