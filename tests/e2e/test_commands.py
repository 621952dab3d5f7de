"""Clients that are missing are skipped on a laptop and missed in CI; commands fail loudly and see only their home."""

import sys

import pytest

from e2e.commands import Command, environment, installed


def test_a_missing_client_is_a_skip_on_a_laptop(tmp_path, monkeypatch):
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no-such-client is not installed"):
        installed("no-such-client", tmp_path)


def test_a_missing_client_is_a_failure_in_ci(tmp_path, monkeypatch):
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="no-such-client is not installed"):
        installed("no-such-client", tmp_path)


def test_an_exit_code_fails_the_test_with_what_was_printed(tmp_path):
    python = Command((sys.executable,), tmp_path)

    with pytest.raises(pytest.fail.Exception, match=r"exit code 3(?s:.*)because"):
        python("-c", "import sys; print('because', file=sys.stderr); sys.exit(3)")


def test_success_fails_the_test_where_a_refusal_was_expected(tmp_path):
    python = Command((sys.executable,), tmp_path)

    assert "no" in python.refused("-c", "raise SystemExit('no')")
    with pytest.raises(pytest.fail.Exception, match="this was to fail"):
        python.refused("-c", "pass")


def test_the_environment_is_of_the_home_only(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", "/somewhere/else")
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere")

    found = environment(tmp_path)

    assert "DOCKER_HOST" not in found
    assert [name for name, value in found.items() if not value.startswith(str(tmp_path))] == ["PATH"]
