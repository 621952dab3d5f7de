"""The file of the audit log: whole lines from many processes; faults do not stop the registry."""

import errno
import json
import os
import select
import stat
from pathlib import Path

import pytest

from simple_registry.config.values import ConfigError, StandardOutput
from simple_registry.server.audit_file import AuditFile, check_audit_file

FULL = Path("/dev/full")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.jsonl"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_has_the_time_and_then_its_fields(path):
    AuditFile(path).write({"event": "blob.push", "size": 3})
    (line,) = lines(path)
    assert list(line) == ["time", "event", "size"]
    assert line["time"].endswith("Z")


def test_only_its_owner_can_read_it(path):
    AuditFile(path).write({})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_earlier_lines_stay(path):
    path.write_text('{"event":"old"}\n')
    AuditFile(path).write({"event": "new"})
    assert [line["event"] for line in lines(path)] == ["old", "new"]


@pytest.mark.parametrize("text", ["a\nb", "\u2028", "\x00\x7f\x9b", "\ud800", "ü" * 100])
def test_a_client_cannot_forge_or_break_a_line(path, text):
    AuditFile(path).write({"agent": text})
    data = path.read_bytes()
    assert data.isascii()
    assert data.count(b"\n") == 1
    assert json.loads(data)["agent"] == text


def test_lines_of_many_processes_are_never_torn(path):
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            file = AuditFile(path)
            for count in range(500):
                file.write({"from": number, "count": count, "agent": str(number) * (count * 7 % 3000)})
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    found = lines(path)
    assert len(found) == 2000
    for number in range(4):
        assert [line["count"] for line in found if line["from"] == number] == list(range(500))


def test_a_line_that_a_full_disk_refused_is_in_the_log(caplog):
    file = AuditFile(FULL)
    file.write({"event": "tag.set", "reference": "v1"})
    file.write({"event": "tag.set", "reference": "v2"})
    assert (file.lines, file.failures) == (0, 2)
    first, second = caplog.records
    assert "No space left" in first.getMessage()
    assert first.levelname == "ERROR"
    assert [record.fields["reference"] for record in (first, second)] == ["v1", "v2"]


def test_writing_continues_after_a_fault(path, caplog):
    path.mkdir()
    file = AuditFile(path)
    file.write({"event": "lost"})
    path.rmdir()
    file.write({"event": "written"})
    assert [line["event"] for line in lines(path)] == ["written"]
    assert (file.lines, file.failures) == (1, 1)


def test_the_line_after_a_torn_one_is_whole(path, monkeypatch, caplog):
    file, write = AuditFile(path), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:20]))
    file.write({"event": "lost"})
    monkeypatch.setattr(os, "write", write)
    file.write({"event": "written"})
    cut, whole = path.read_text().splitlines()
    assert len(cut) == 20
    assert json.loads(whole)["event"] == "written"
    assert file.failures == 1


def test_a_reopened_file_is_the_one_after_the_rotation(path):
    first = AuditFile(path)
    first.write({"event": "one"})
    path.rename(path.with_suffix(".1"))
    first.write({"event": "two"})
    AuditFile(path).write({"event": "three"})
    first.close()
    assert [line["event"] for line in lines(path.with_suffix(".1"))] == ["one", "two"]
    assert [line["event"] for line in lines(path)] == ["three"]


def test_lines_can_go_to_standard_output(capfd):
    AuditFile(StandardOutput.STDOUT).write({"event": "blob.push"})
    assert json.loads(capfd.readouterr().out)["event"] == "blob.push"


def test_a_file_that_cannot_be_written_is_found_at_the_start(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot write the audit log to .*No such file or directory"):
        check_audit_file(tmp_path / "missing" / "audit.jsonl")
    with pytest.raises(ConfigError, match="Is a directory"):
        check_audit_file(tmp_path)
    check_audit_file(tmp_path / "audit.jsonl")
    check_audit_file(StandardOutput.STDOUT)
    check_audit_file(None)


def test_a_full_disk_does_not_stop_the_start(path, monkeypatch):
    def fails(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", fails)
    check_audit_file(path)


def test_a_pipe_without_a_reader_stops_nothing(path):
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="cannot write the audit log"):
        check_audit_file(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    check_audit_file(path)
    file = AuditFile(path)
    for _ in range(500):
        file.write({"agent": "x" * 500})
    assert file.lines > 0
    assert file.failures > 0
    file.close()
    os.close(reader)


@pytest.mark.parametrize("text", ["x" * 30_000, "\U0001f600" * 2000], ids=["ascii", "astral"])
def test_a_line_for_a_pipe_is_whole_and_fits_into_one_piece(path, text):
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = AuditFile(path)
    for _ in range(3):
        file.write({"event": "tag.set", "path": text, "agent": text, "status": 201})
    found = os.read(reader, 1 << 16).splitlines()
    os.close(reader)
    file.close()
    assert (file.lines, file.failures) == (3, 0)
    assert all(len(line) < select.PIPE_BUF for line in found)
    assert [json.loads(line)["status"] for line in found] == [201] * 3
