"""The tables of docs/results/clients.md can be read back, and hold every combination."""

from itertools import product

from e2e import clients_table
from e2e.scenarios import CLIENTS, Challenge, Credential, Policy

CELLS = list(product(CLIENTS, Policy, Credential, Challenge))


def test_rendered_tables_are_read_back():
    words = ("login, public, private, push", "public", clients_table.REFUSED)
    outcomes = {cell: words[number % 7 % 3] for number, cell in enumerate(CELLS)}

    rendered = clients_table.render(outcomes)

    assert clients_table.parse(rendered) == outcomes


def test_challenges_are_named_only_where_they_matter():
    outcomes = dict.fromkeys(CELLS, "public")
    outcomes["docker", Policy.MIXED, Credential.NONE, Challenge.BASIC] = clients_table.REFUSED

    rendered = clients_table.render(outcomes)

    assert rendered.count("basic") == 1
    assert "| basic: refused<br>bearer, auto: public |" in rendered


def test_the_document_lists_every_combination():
    assert set(clients_table.documented()) == set(CELLS)
    assert "?" not in clients_table.documented().values()
