"""`reload`, beside a server as a process."""

import io
import os
import signal
from pathlib import Path

import pytest

from e2e.server import serve
from simple_registry.backends import local
from simple_registry.cli.main import main
from simple_registry.cli.options import UsageError
from simple_registry.cli.reload import reload

CONFIGURATION = "kind: Configuration\nmetadata: {name: c}\nspec: {}\n"


def run(data, **options):
    stdout = io.StringIO()
    return reload(["-datadir", str(data)], {}, stdout, **options), stdout.getvalue()


def test_the_result_of_each_reload_is_the_exit_code(tmp_path):
    with serve(tmp_path, configuration=CONFIGURATION, options=("-workers", "2")):
        (document,) = Path(tmp_path, "configuration").glob("*.yaml")
        assert run(tmp_path / "data") == (0, "reloaded\n")

        document.write_text(CONFIGURATION + "nonsense: 1\n")
        code, said = run(tmp_path / "data")
        assert code == 1
        assert said.startswith(f"not reloaded: {document}:4: ")

        document.write_text(CONFIGURATION)
        assert run(tmp_path / "data") == (0, "reloaded\n")
        assert local.find_server(tmp_path / "data").reloads == 3


def test_a_server_that_does_not_answer_is_given_up(tmp_path):
    with serve(tmp_path) as registry:
        os.kill(registry.pid, signal.SIGSTOP)
        try:
            assert run(tmp_path / "data", timeout=0.2) == (1, "no result after 0.2 seconds; see the log\n")
        finally:
            os.kill(registry.pid, signal.SIGCONT)


def test_without_a_server_nothing_gets_a_signal(tmp_path, capsys):
    local.claim(tmp_path / "data").release()
    with pytest.raises(UsageError, match="no server uses"):
        run(tmp_path / "data")
    assert main(["reload", "-datadir", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


def test_a_server_without_a_readable_report_has_had_no_reload(tmp_path):
    claim = local.claim(tmp_path / "data")
    found = local.find_server(tmp_path / "data")
    assert (found.pid, found.url, found.reloads, found.outcome) == (os.getpid(), "", 0, "")
    claim.report("http://127.0.0.1:5000", 7, "not reloaded:\n a.yaml:1 " + "x" * 5000)
    claim.report("https://127.0.0.1:5000", 8, "reloaded")
    found = local.find_server(tmp_path / "data")
    assert (found.url, found.reloads, found.outcome) == ("https://127.0.0.1:5000", 8, "reloaded")
    claim.release()


def test_help(capsys):
    assert main(["reload", "-help"]) == 0
    assert capsys.readouterr().out.startswith("usage: simple-registry reload")
