"""The sets of documents in `docs/yaml/examples` load without a warning, and agree with their tables."""

import pytest

from simple_registry.access.passwords import verify_password
from simple_registry.cli.main import main
from simple_registry.config.load import load_access
from support.sources import ROOT

YAML = ROOT / "docs" / "yaml"
SETS = sorted(path.name for path in (YAML / "examples").iterdir())


def directory(name):
    return YAML / "examples" / name


def test_every_set_has_a_table_and_a_line_in_the_overview():
    assert [path.stem for path in sorted((YAML / "expectations").iterdir())] == SETS
    overview = (YAML / "README.md").read_text()
    assert [name for name in SETS if f"[{name}](examples/{name})" not in overview] == []


@pytest.mark.parametrize("name", SETS)
def test_a_set_loads_without_a_warning(name, capsys):
    assert main(["policy", "check", str(directory(name))]) == 0
    assert capsys.readouterr().out.endswith("; 0 warnings\n")


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_the_results_of_its_table(name, capsys):
    table = YAML / "expectations" / f"{name}.yaml"
    code = main(["policy", "test", str(table), "-cfgdir", str(directory(name))])
    assert (code, capsys.readouterr().out.rpartition(" ")[2]) == (0, "hold\n")


@pytest.mark.parametrize("name", SETS)
def test_passwords_are_those_that_are_documented(name):
    users = load_access([directory(name)]).users.values()
    hashed = [user for user in users if user.password_hash]
    assert hashed
    assert [user.name for user in hashed if not verify_password(f"{user.name}-example", user.password_hash)] == []
