"""The parts that commands on a data directory share."""

from pathlib import Path

from simple_registry.cli.data_commands import read_settings, table
from simple_registry.config.load import read_documents


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
        assert read_settings({"datadir": option}, environment, read_documents(directories)).data_dir == expected


def test_only_the_options_of_the_command_count():
    assert read_settings({}, {"SIMPLE_REGISTRY_DATADIR": "/variable"}, read_documents([])).data_dir == Path("data")


def test_a_table_has_columns():
    assert list(table([("ID", "NAME"), ("1000", ""), ("2", "b")])) == ["ID    NAME\n", "1000\n", "2     b\n"]
