import io
import os
import pty
import subprocess
import sys
import time

import pytest

from simple_registry.access.passwords import PasswordInvalid, verify_password
from simple_registry.cli.genhash import genhash

GENHASH = [sys.executable, "-m", "simple_registry", "-genhash"]


@pytest.mark.parametrize("line", ["secret\n", "secret\r\n", "secret"])
def test_one_line_of_standard_input_becomes_only_a_hash(line):
    output = io.StringIO()
    assert genhash(io.StringIO(line + ""), output) == 0
    assert output.getvalue().endswith("\n")
    assert verify_password("secret", output.getvalue().removesuffix("\n"))


def test_only_the_first_line_is_read():
    rest = io.StringIO("secret\nmore\n")
    genhash(rest, io.StringIO())
    assert rest.read() == "more\n"


@pytest.mark.parametrize(("line", "says"), [("", "empty"), ("\n", "empty"), ("x" * 73, "73 bytes")])
def test_passwords_that_cannot_be_hashed_print_nothing(line, says):
    output = io.StringIO()
    with pytest.raises(PasswordInvalid, match=says):
        genhash(io.StringIO(line), output)
    assert output.getvalue() == ""


def test_a_pipe_gets_a_hash_and_no_prompt():
    done = subprocess.run(GENHASH, input=b"secret\n", capture_output=True, check=True)
    assert done.stderr == b""
    assert verify_password("secret", done.stdout.decode().removesuffix("\n"))


def converse(*answers):
    """Run genhash on a terminal, answering its questions; return what it wrote to its output, and to the terminal."""
    terminal, inner = pty.openpty()
    process = subprocess.Popen(
        GENHASH, stdin=inner, stdout=subprocess.PIPE, stderr=inner, start_new_session=True, bufsize=0
    )
    os.close(inner)
    shown = b""
    for number, answer in enumerate(answers, 1):
        deadline = time.monotonic() + 10
        while shown.count(b": ") < number:
            assert time.monotonic() < deadline
            shown += os.read(terminal, 1000)
        time.sleep(0.1)  # getpass throws away what was typed before it switched the echo off
        os.write(terminal, answer + b"\n")
    written, _ = process.communicate(timeout=20)
    try:
        while more := os.read(terminal, 1000):
            shown += more
    except OSError:  # the end of a terminal whose other side is closed
        pass
    os.close(terminal)
    return process.returncode, written.decode(), shown.decode()


def test_a_terminal_is_asked_twice_without_echo():
    code, written, shown = converse(b"secret", b"secret")
    assert code == 0
    assert verify_password("secret", written.removesuffix("\n"))
    assert "Password: " in shown
    assert "Again: " in shown
    assert "secret" not in shown


def test_two_different_answers_print_nothing():
    code, written, shown = converse(b"secret", b"Secret")
    assert (code, written) == (2, "")
    assert "simple-registry: the two passwords differ" in shown
