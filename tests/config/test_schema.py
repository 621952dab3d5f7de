"""The schema accepts what loads, and refuses what does not."""

import json
from pathlib import Path

import pytest

from simple_registry.cli.main import main
from simple_registry.config.kinds import KINDS
from simple_registry.config.schema import json_schema
from support.json_schema import fits, problems
from support.kinds import changed, documents_of, full_documents

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs/yaml/examples").glob("*/**/*.yaml"))


def test_the_command_prints_it(capsys):
    assert main(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_document_matches_the_schema(kind):
    assert list(problems(json_schema(), full_documents()[kind])) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_fits(path):
    for document in documents_of(path.read_text()):
        assert list(problems(json_schema(), document)) == []


@pytest.mark.parametrize(
    ("kind", "prefix", "change"),
    [
        ("User", "", {"pasword": "x"}),
        ("User", "", {"passwordHash": "secret"}),
        ("User", "", {"groups": "team"}),
        ("Role", "", {"verbs": ["fetch"]}),
        ("Role", "", {"resources": []}),
        ("RoleBinding", "", {"scopes": []}),
        ("RoleBinding", "subjects[].", {"kind": "Team"}),
        ("RoleBinding", "roleRef.", {"nam": "x"}),
        ("Token", "", {"value": "0123456789abcdef"}),
        ("Token", "", {"scopes": ["team/app"]}),
        ("TokenIssuer", "keys.", {"jwksFile": "x"}),
        ("TokenIssuer", "", {"algorithms": ["HS256"]}),
        ("TokenIssuer", "", {"audience": []}),
        ("TokenIssuer", "", {"conditions": {"owner": True}}),
        ("Retention", "keep[].", {"newst": 5}),
        ("TagProtection", "", {"immutable": "yes"}),
        ("Configuration", "web.", {"challenge": "digest"}),
        ("Configuration", "web.", {"adr": "x"}),
        ("Configuration", "", {"web": []}),
    ],
)
def test_an_invalid_document_does_not_match_the_schema(kind, prefix, change):
    assert not fits(json_schema(), changed(kind, prefix, lambda fields: fields.update(change))[kind])


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "Usr", "metadata": {"name": "x"}},
        {"kind": "Role", "metadata": {"name": "x"}},
        {"kind": "User"},
        {"kind": "User", "metadata": {}},
        {"kind": "User", "metadata": {"name": "x"}, "sepc": {}},
        {"apiVersion": "v2", "kind": "User", "metadata": {"name": "x"}},
    ],
)
def test_documents_of_another_shape_do_not_fit(document):
    assert not fits(json_schema(), document)
    assert fits(json_schema(), {"kind": "User", "metadata": {"name": "x"}})


def test_a_single_audience_needs_no_brackets():
    one = changed("TokenIssuer", "", lambda fields: fields.update(audience="registry.example"))["TokenIssuer"]
    assert fits(json_schema(), one)
