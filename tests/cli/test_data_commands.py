"""What commands about a data directory share."""

from pathlib import Path

import pytest

from simple_registry.cli.data_commands import Parser, config_directories, read_settings, table
from simple_registry.cli.options import UsageError


def test_the_option_wins_over_the_variable_over_documents_over_the_default(tmp_path):
    (tmp_path / "c.yaml").write_text(
        f"kind: Configuration\nmetadata: {{name: c}}\nspec: {{dataDir: {tmp_path}/file}}\n"
    )
    variable = {"SIMPLE_REGISTRY_DATADIR": "/variable"}
    for option, environment, directories, expected in (
        ("/option", variable, [tmp_path], Path("/option")),
        (None, variable, [tmp_path], Path("/variable")),
        (None, {}, [tmp_path], tmp_path / "file"),
        (None, {}, [], Path("data")),
    ):
        assert read_settings({"datadir": option}, environment, directories).data_dir == expected


def test_only_the_options_of_the_command_count():
    assert read_settings({}, {"SIMPLE_REGISTRY_DATADIR": "/variable"}, []).data_dir == Path("data")


def test_directories_come_from_options_or_else_from_the_variable():
    variable = {"SIMPLE_REGISTRY_CFGDIR": "/a::/b"}
    assert config_directories(["/c"], variable) == (Path("/c"),)
    assert config_directories([], variable) == (Path("/a"), Path("/b"))
    assert config_directories([], {}) == ()


def test_a_table_has_columns():
    assert list(table([("ID", "NAME"), ("1000", ""), ("2", "b")])) == ["ID    NAME\n", "1000\n", "2     b\n"]


def test_a_wrong_word_says_where_to_read_on():
    with pytest.raises(UsageError, match="'simple-registry x -help' tells more"):
        Parser(prog="simple-registry x").parse_args(["-none"])
