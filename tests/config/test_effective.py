"""Settings with the origin of each value."""

import pytest

from simple_registry.config.configuration import Given, configuration_of, settings_of
from simple_registry.config.documents import Documents, parse_documents
from simple_registry.config.effective import Effective, Layer, effective
from simple_registry.config.settings import ROWS

TEXT = b"""\
kind: Configuration
metadata: {name: a}
spec:
  web:
    addr: [127.0.0.1:1, 'unix:/run/s']
    tokenSecret: 0123456789abcdef0123456789abcdef
  garbageCollection: {grace: 2h, window: 02:00-05:00}
"""


@pytest.fixture
def show(tmp_path):
    def call(text=TEXT, flags=None, environment=None):
        flags = {name: Given(f"-{name}", (value,)) for name, value in (flags or {}).items()}
        environment = {
            name: Given(f"SIMPLE_REGISTRY_{name.upper()}", (value,)) for name, value in (environment or {}).items()
        }
        documents = Documents({"Configuration": parse_documents(tmp_path / "a.yaml", text)}, "", frozenset())
        configuration = configuration_of(documents)
        settings = settings_of(configuration, flags, environment)
        return {each.name: each for each in effective(settings, configuration, flags, environment)}

    return call


def test_every_setting_is_there_and_defaults_are_named_as_such(show):
    found = show(b"")
    assert {row.path or row.label for row in ROWS} < found.keys()
    assert found["web.addr"] == Effective("web.addr", ("0.0.0.0:5000",))
    assert found["-workers"].values == ("one per core",)
    assert found["web.certfile"].values == ()
    assert {each.layer for each in found.values()} == {Layer.DEFAULT}


def test_documents_give_file_and_line(show, tmp_path):
    found = show()
    assert found["garbageCollection.grace"] == Effective(
        "garbageCollection.grace", ("2h",), Layer.DOCUMENT, f"{tmp_path}/a.yaml:7"
    )
    assert found["garbageCollection.window"].values == ("02:00-05:00",)
    assert found["web.addr"].values == ("127.0.0.1:1", "unix:/run/s,mode=0660")
    assert found["web.addr"].place == f"{tmp_path}/a.yaml:5"


def test_an_option_wins_over_a_variable_and_that_over_a_document(show):
    assert show(environment={"addr": ":2"})["web.addr"] == Effective(
        "web.addr", (":2",), Layer.VARIABLE, "SIMPLE_REGISTRY_ADDR"
    )
    found = show(flags={"addr": ":3"}, environment={"addr": ":2"})["web.addr"]
    assert found == Effective("web.addr", (":3",), Layer.OPTION, "-addr")


def test_secrets_are_never_shown(show):
    found = show(flags={"adminpwd": "sesame"})
    assert found["web.tokenSecret"].values == ("***",)
    assert found["-adminpwd"] == Effective("-adminpwd", ("***",), Layer.OPTION, "-adminpwd")
    assert "sesame" not in repr(found)


def test_a_password_of_the_command_line_replaces_those_of_variables(show):
    found = show(flags={"adminpwd-file": "/pw"}, environment={"adminpwd": "sesame", "adminname": "root"})
    assert found["-adminpwd"] == Effective("-adminpwd", ())
    assert found["-adminpwd-file"].values == ("/pw",)
    assert found["-adminname"] == Effective("-adminname", ("root",), Layer.VARIABLE, "SIMPLE_REGISTRY_ADMINNAME")
