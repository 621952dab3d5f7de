"""The server fixture notices an unhealthy server."""

import sys

import pytest

from e2e.server import UnhealthyRegistry, serve, suspicious_lines


def test_a_traceback_is_reported_with_the_lines_that_follow():
    log = "started\nTraceback (most recent call last):\n  File x\nValueError: no\n"

    assert suspicious_lines(log) == ["Traceback (most recent call last):", "  File x", "ValueError: no"]


@pytest.mark.parametrize("line", ['{"status": 500}', '{"method":"GET","status":503,"bytes":0}'])
def test_an_answer_of_500_or_more_is_reported(line):
    assert suspicious_lines(f"started\n{line}\n") == [line]


def test_ordinary_lines_are_not_reported():
    assert suspicious_lines('{"status":404,"bytes":5000}\n{"status":200,"path":"/v2/a/blobs/500"}\n') == []


def test_a_server_that_ends_at_once_is_reported_with_its_words(tmp_path, monkeypatch):
    monkeypatch.setenv("E2E_REGISTRY", f"{sys.executable} -c \"raise SystemExit('port in use')\"")

    with pytest.raises(UnhealthyRegistry, match="port in use"), serve(tmp_path):
        pass
