import asyncio
import io
import json
import logging
import os
import select
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from simple_registry.config.settings import LogFormat, LogLevel
from simple_registry.request_id import REQUEST_ID
from simple_registry.server.logging import FieldLines, JsonFormatter, TextFormatter, configure_logging, printable


@pytest.fixture
def configured():
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    ours = logging.getLogger("simple_registry")
    own_level = ours.level
    yield configure_logging
    for handler in root.handlers[:]:
        if handler not in before:
            root.removeHandler(handler)
    root.setLevel(level)
    ours.setLevel(own_level)


def record(message, fields=None, exc_info=None):
    made = logging.LogRecord("simple_registry.x", logging.INFO, "x.py", 1, message, (), exc_info)
    if fields is not None:
        made.fields = fields
    return made


def test_text_shows_message_and_fields():
    made = record("GET /v2/", {"status": 200, "agent": 'a "b" c', "seconds": 0.12345678, "empty": "", "path": "/v2/"})
    line = TextFormatter().format(made)
    assert line[24:] == ' info    GET /v2/ status=200 agent="a \\"b\\" c" seconds=0.123457 empty="" path=/v2/'
    assert line[:24].endswith("Z")


def test_json_is_one_object_whose_fields_cannot_replace_its_own():
    line = json.loads(JsonFormatter().format(record("hello", {"status": 200, "message": "forged", "x": Path("a")})))
    assert line["message"] == "hello"
    assert (line["status"], line["level"], line["logger"], line["x"]) == (200, "info", "simple_registry.x", "a")


@given(st.text())
def test_control_characters_are_escaped(text):
    for formatter in (TextFormatter(), JsonFormatter()):
        line = formatter.format(record("x", {"value": text}))
        assert line.isprintable()
        assert len(line.splitlines()) == 1
    assert printable(text).isprintable()


def test_visible_text_is_unchanged():
    assert printable("José's push: 100%") == "José's push: 100%"
    assert printable("a\nb\x1b[31m\u2028\ud800") == "a\\nb\\x1b[31m\\u2028\\ud800"


def test_tracebacks_are_readable():
    with pytest.raises(ValueError) as caught:
        raise ValueError("a\x1bb")
    made = record("failed", exc_info=(caught.type, caught.value, caught.tb))
    text = TextFormatter().format(made).splitlines()
    assert text[1].startswith("    Traceback")
    assert text[-1] == "    ValueError: a\\x1bb"
    assert "ValueError: a\x1bb" in json.loads(JsonFormatter().format(made))["traceback"]


def test_configuring_again_replaces_level_and_format(configured):
    first, second = io.StringIO(), io.StringIO()
    configured(LogLevel.WARNING, LogFormat.TEXT, first)
    logging.getLogger("simple_registry.access").info("unseen")
    logging.getLogger("simple_registry.access").warning("seen")
    configured(LogLevel.INFO, LogFormat.AUTO, second)
    logging.getLogger("simple_registry.access").info("later", extra={"fields": {"status": 200}})
    logging.getLogger("other.library").info("unseen")
    assert first.getvalue().count("\n") == 1
    assert json.loads(second.getvalue())["status"] == 200


def test_auto_is_text_on_a_terminal(configured):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    configured(LogLevel.INFO, LogFormat.AUTO, stream)
    logging.getLogger("simple_registry").info("hello")
    assert stream.getvalue().endswith("Z info    hello\n")


def test_a_log_without_a_reader_stops_nothing(configured):
    class Broken(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    configured(LogLevel.INFO, LogFormat.TEXT, Broken())
    logging.getLogger("simple_registry").info("hello")


class Writes(io.StringIO):
    """Records each write."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def write(self, text):
        self.seen.append(text)
        return len(text)


class Pipe(Writes):
    """The same, with the descriptor of a pipe."""

    def __init__(self, descriptor):
        super().__init__()
        self._descriptor = descriptor

    def fileno(self):
        return self._descriptor


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield Pipe(ends[1])
    for end in ends:
        os.close(end)


def field_lines(stream, *fields):
    async def scenario():
        lines = FieldLines("simple_registry.x", "hello")
        for each in fields:
            lines(each)
        assert stream.seen == []
        await asyncio.sleep(0)

    asyncio.run(scenario())


def test_no_line_is_torn_where_workers_write_to_one_pipe(configured, pipe):
    """Writes above `PIPE_BUF` can be mixed with those of other processes."""
    stream = pipe
    configured(LogLevel.INFO, LogFormat.TEXT, stream)
    field_lines(stream, *({"number": number, "agent": "é" * 300} for number in range(50)))
    assert all(len(piece.encode()) <= select.PIPE_BUF and piece.endswith("\n") for piece in stream.seen)
    assert [f" number={number} " in line for number, line in enumerate("".join(stream.seen).splitlines())] == [
        True
    ] * 50
    assert len(stream.seen) < 25


LONG = {"ascii": "x" * 40_000, "control": "\x1b" * 9000, "astral": "\U0001f600" * 5000, "letters": "é" * 20_000}


@pytest.mark.parametrize("form", [LogFormat.TEXT, LogFormat.JSON])
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_line_for_a_pipe_is_shortened_in_its_longest_texts(configured, pipe, form, text):
    configured(LogLevel.INFO, form, pipe)
    fields = {"path": f"/v2/{text}/end", "status": 404, "agent": text, "request": "a1-7"}
    logging.getLogger("simple_registry.x").info("hello", extra={"fields": fields})
    logging.getLogger("simple_registry.x").info("a message that ends: %s", text, extra={"fields": {"request": "b2-8"}})
    fast = Pipe(pipe.fileno())
    configured(LogLevel.INFO, form, fast)
    field_lines(fast, fields)
    for piece, request in zip([*pipe.seen, *fast.seen], ("a1-7", "b2-8", "a1-7"), strict=True):
        assert len(piece.encode()) <= select.PIPE_BUF
        assert piece.count("\n") == 1
        assert request in piece
    if form is LogFormat.JSON:
        line = json.loads(pipe.seen[0])
        assert (line["path"][:4], line["path"][-4:], line["status"]) == ("/v2/", "/end", 404)


@pytest.mark.parametrize("form", [LogFormat.TEXT, LogFormat.JSON])
def test_a_traceback_for_a_pipe_is_split_into_lines_that_fit(configured, pipe, form):
    configured(LogLevel.INFO, form, pipe)
    said = "\n".join(["y" * 9000, *(f"line {number} of many" for number in range(1000)), "the end"])
    failure = ValueError(said)
    logging.getLogger("simple_registry.x").error("failed", exc_info=failure)
    assert all(len(piece.encode()) <= select.PIPE_BUF and piece.endswith("\n") for piece in pipe.seen)
    whole = "".join(pipe.seen)
    assert "the end" in whole
    if form is LogFormat.TEXT:
        assert whole.count(" of many\n") == 1000
        assert all(line.startswith("    ") for line in whole.splitlines()[1:])
    else:
        assert json.loads(whole)["traceback"].startswith("ValueError: yyy")


def test_a_line_for_a_file_is_not_shortened(configured, tmp_path):
    with (tmp_path / "log").open("w+") as stream:
        configured(LogLevel.INFO, LogFormat.JSON, stream)
        logging.getLogger("simple_registry.x").info("hello", extra={"fields": {"agent": LONG["ascii"]}})
        stream.seek(0)
        assert json.loads(stream.read())["agent"] == LONG["ascii"]


@given(st.dictionaries(st.sampled_from("abcdef"), st.text(max_size=3000)), st.text(max_size=9000))
def test_every_line_fits(fields, message):
    for formatter in (TextFormatter(select.PIPE_BUF), JsonFormatter(select.PIPE_BUF)):
        line = formatter.line(0.0, "INFO", "x", message, fields)
        assert len(line.encode()) < select.PIPE_BUF
        assert line.isprintable()


@pytest.mark.parametrize("form", [LogFormat.TEXT, LogFormat.JSON])
@pytest.mark.parametrize(
    "fields",
    [
        {"a": 1, "b": 2.5, "c": "d e"},
        {"a": "\x7f\x1b\n\u2028é\ud800", "level": "forged"},
        {"a": Path("b"), "logger": None},
    ],
)
def test_field_lines_equal_those_of_logging(configured, form, fields):
    slow, fast = io.StringIO(), Writes()
    configured(LogLevel.INFO, form, slow)
    logging.getLogger("simple_registry.x").info("hello", extra={"fields": fields})
    configured(LogLevel.INFO, form, fast)
    field_lines(fast, fields)
    (line,) = fast.seen
    start = slow.getvalue().index("Z")
    assert line[start:] == slow.getvalue()[start:]
    assert line[:-1].isprintable()


def test_field_lines_of_one_turn_share_a_write(configured):
    stream = Writes()
    configured(LogLevel.INFO, LogFormat.JSON, stream)
    field_lines(stream, {"a": 1}, {"a": 2})
    (written,) = stream.seen
    assert [json.loads(line)["a"] for line in written.splitlines()] == [1, 2]


def test_field_lines_respect_the_level(configured):
    stream = Writes()
    configured(LogLevel.WARNING, LogFormat.JSON, stream)
    field_lines(stream, {"a": 1})
    assert stream.seen == []


def test_field_lines_use_logging_without_configuration(caplog):
    caplog.set_level(logging.INFO, logger="simple_registry.x")
    field_lines(Writes(), {"a": 1})
    assert [record.fields for record in caplog.records] == [{"a": 1}]


def test_field_lines_without_a_reader_stop_nothing(configured):
    class Broken(Writes):
        def write(self, _):
            raise BrokenPipeError

    stream = Broken()
    configured(LogLevel.INFO, LogFormat.TEXT, stream)
    field_lines(stream, {"a": 1})


def test_a_line_written_during_a_request_has_its_id():
    token = REQUEST_ID.set("a1-7")
    try:
        assert json.loads(JsonFormatter().format(record("disk", {"left": 3})))["request"] == "a1-7"
        assert json.loads(JsonFormatter().format(record("disk", {"request": "b2-8"})))["request"] == "b2-8"
        assert TextFormatter().format(record("disk")).endswith("disk request=a1-7")
    finally:
        REQUEST_ID.reset(token)
    assert "request" not in json.loads(JsonFormatter().format(record("disk")))
