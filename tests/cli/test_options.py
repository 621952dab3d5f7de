from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from simple_registry.cli.commands import COMMANDS
from simple_registry.cli.options import (
    OPTIONS,
    CommandLine,
    Parser,
    UsageError,
    config_directories,
    help_text,
    parse_command_line,
    require_known_variables,
)
from simple_registry.config.configuration import Given

SPELLINGS = [(option, spelling) for option in OPTIONS for spelling in (option.name, *option.aliases)]


def value_of(line, option):
    return str(line.config_dirs[0]) if option.name == "cfgdir" else line.flags[option.name].text


@pytest.mark.parametrize("form", ["-{} v:1", "--{} v:1", "-{}=v:1", "--{}=v:1"])
@pytest.mark.parametrize(("option", "spelling"), SPELLINGS)
def test_every_option_works_with_one_dash_and_two_and_equals(option, spelling, form):
    assert value_of(parse_command_line(form.format(spelling).split(), {}), option) == "v:1"


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_can_be_a_variable(option):
    line = parse_command_line([], {option.variable: "v"})
    if option.name == "cfgdir":
        assert line.config_dirs == (Path("v"),)
    else:
        assert line.environment == {option.name: Given(option.variable, ("v",))}
    assert line.flags == {}


def test_variables_have_the_documented_names():
    assert {option.name: option.variable for option in OPTIONS}["adminpwd-file"] == "SIMPLE_REGISTRY_ADMINPWD_FILE"


def test_an_empty_variable_is_unset():
    assert parse_command_line([], {option.variable: "" for option in OPTIONS}) == CommandLine()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "SIMPLE_REGISTRY_ADMINPW",
            "unknown variable 'SIMPLE_REGISTRY_ADMINPW'; did you mean SIMPLE_REGISTRY_ADMINPWD?",
        ),
        ("SIMPLE_REGISTRY_CERTFILE", "did you mean SIMPLE_REGISTRY_CERT?"),
        ("SIMPLE_REGISTRY_QQQQQQQQQQQQQQQQQQQ", "see 'simple-registry -help'"),
        ("SIMPLE_REGISTRY_PORT_X", "unknown variable"),
    ],
)
def test_an_unknown_variable_is_refused_without_its_value(name, says):
    with pytest.raises(UsageError) as refused:
        require_known_variables({name: "hunter2"})
    assert says in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        "HOME",
        "SIMPLE_REGISTRY_SERVICE_HOST",
        "SIMPLE_REGISTRY_SERVICE_PORT",
        "SIMPLE_REGISTRY_SERVICE_PORT_HTTP",
        "SIMPLE_REGISTRY_PORT",
        "SIMPLE_REGISTRY_PORT_5000_TCP",
        "SIMPLE_REGISTRY_PORT_5000_TCP_ADDR",
        "SIMPLE_REGISTRY_METRICS_SERVICE_HOST",
        "SIMPLE_REGISTRY_METRICS_PORT_9102_TCP_PROTO",
        *(option.variable for option in OPTIONS),
    ],
)
def test_variables_of_options_of_other_programs_and_of_kubernetes_are_accepted(name):
    require_known_variables({name: "x"})


def test_directories_repeat_and_override_the_variable():
    environment = {"SIMPLE_REGISTRY_CFGDIR": "c:d"}
    assert parse_command_line([], environment).config_dirs == (Path("c"), Path("d"))
    assert parse_command_line(["-cfgdir", "a", "--cfgdir=b"], environment).config_dirs == (Path("a"), Path("b"))


def test_addresses_repeat_and_override_the_variable():
    environment = {"SIMPLE_REGISTRY_ADDR": "c:1  unix:/d"}
    assert parse_command_line([], environment).environment["addr"].texts == ("c:1", "unix:/d")
    assert parse_command_line(["-addr", "a:1", "--addr=b:1"], environment).flags["addr"].texts == ("a:1", "b:1")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command):
    assert parse_command_line([command], {}).command == command
    assert parse_command_line(["-addr", ":1", command, "-workers=2"], {}).command == command


def test_serve_is_the_default():
    assert parse_command_line([], {}).command == "serve"


@pytest.mark.parametrize(
    ("arguments", "command"),
    [("-genhash", "genhash"), ("--genhash", "genhash"), ("-version", "version"), ("-h", "help"), ("--help", "help")],
)
def test_switches_select_commands(arguments, command):
    assert parse_command_line([arguments], {}).command == command


@pytest.mark.parametrize("topic", [None, *COMMANDS])
@pytest.mark.parametrize("form", ["help {}", "{} help", "{} -help", "{} --help", "{} -h", "-help {}", "--help {}"])
def test_help_describes_the_other_command(topic, form):
    line = parse_command_line(form.format(topic or "").split(), {})
    assert (line.command, line.topic) == ("help", None if topic == "help" else topic)


def test_the_word_after_an_option_is_its_value():
    assert parse_command_line(["-adminpwd", "-secret"], {}).flags["adminpwd"].text == "-secret"
    assert parse_command_line(["-adminpwd", "a=b"], {}).flags["adminpwd"].text == "a=b"
    assert parse_command_line(["-adminpwd=a=b"], {}).flags["adminpwd"].text == "a=b"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-adr", "x"], "unknown option '-adr'; did you mean -addr?"),
        (["--datdir=x"], "unknown option '--datdir'; did you mean -datadir?"),
        (["-zzz"], "unknown option '-zzz'; see 'simple-registry -help'"),
        (["-add", "x"], "did you mean -addr?"),
        (["-addr"], "the option -addr needs a value"),
        (["-datadir="], "the option -datadir needs a value"),
        (["-addr="], "the option -addr needs a value"),
        (["-datadir", "a", "--datadir", "b"], "the option -datadir is given twice"),
        (["serv"], "unknown command 'serv'; did you mean serve?"),
        (["frobnicate"], "unknown command 'frobnicate'; see 'simple-registry -help'"),
        (["serve", "more"], "unknown command 'more'"),
        (["serve", "version", "token"], "unrecognized arguments: token"),
        (["serve", "genhash"], "only one command can be given, not serve and genhash"),
        (["-genhash", "version"], "only one command can be given, not genhash and version"),
        (["-"], "unknown command '-'"),
        (["-genhash=yes"], "unknown option"),
    ],
)
def test_errors_suggest_the_nearest_name(arguments, says):
    with pytest.raises(UsageError) as refused:
        parse_command_line(arguments, {})
    assert says in str(refused.value)


def test_the_value_of_an_unknown_option_is_not_repeated():
    with pytest.raises(UsageError) as refused:
        parse_command_line(["-adminpwdd=hunter2"], {})
    assert "hunter2" not in str(refused.value)


def test_the_help_names_every_option_and_command_and_the_risk():
    text = help_text()
    for name in [*COMMANDS, *(f"-{option.name} " for option in OPTIONS)]:
        assert name in text
    assert "see it in the process list" in text


@given(st.lists(st.text(max_size=12), max_size=4))
def test_any_words_are_a_command_line_or_a_usage_error(arguments):
    try:
        parse_command_line(arguments, {})
    except UsageError as refused:
        assert str(refused)  # noqa: PT017


def test_directories_come_from_options_or_else_from_the_variable():
    variable = {"SIMPLE_REGISTRY_CFGDIR": "/a::/b"}
    assert config_directories(["/c"], variable) == (Path("/c"),)
    assert config_directories([], variable) == (Path("/a"), Path("/b"))
    assert config_directories([], {}) == ()


def test_options_of_every_command_follow_one_grammar():
    parser = Parser("x", "  -token-file FILE  the file\n  -scope SCOPE...   a scope\n  -json             as JSON\n")
    assert parser.parse_args(["-h"]).help
    parsed = parser.parse_args(["-token-file", "-", "-scope=a", "--scope", "-b", "-json"])
    assert (parsed.token_file, parsed.scope, parsed.json) == ("-", ["a", "-b"], True)
    for words, says in (
        (["-tok", "x"], "unknown option '-tok'; see 'simple-registry x -help'"),
        (["-json=1"], "unknown option '-json'"),
        (["-scop", "x"], "did you mean -scope?"),
        (["-token-file", "a", "-token-file", "b"], "the option -token-file is given twice"),
    ):
        with pytest.raises(UsageError, match=says):
            parser.parse_args(words)
