"""Every statement on rows follows an index: its cost depends on what it returns, not on what is stored."""

from importlib import import_module
from pkgutil import iter_modules

import pytest

from simple_registry.storage.sqlite import rows

EXEMPT = {
    "collections._ALL": "a row for each origin",
    "garbage._CONDEMNED_SPACE": "a sum of all condemned content, on a copy of the database",
    "garbage._WAITING": "sums of all that waits, in a thread",
    "keepers._HELD": "all holdings of a repository, in a thread, for a command",
    "purge._KNOWN": "a rare command, which has to look into the whole journal",
    "sessions._COUNT": "the sessions are limited in number",
    "tag_times._RUNS": "a row for each Retention",
    "tag_times._FORGET_RUNS": "as above",
    "tokens._OWNERS": "the collector asks for all of them, once a round",
    "usage._BY_STATE": "there are three states",
    "usage._IDENTITIES_ABOVE": "for metrics; in a thread",
    "usage._LARGEST": "for administrators; in a thread",
    "usage._REPOSITORIES_ABOVE": "for metrics; in a thread",
    "usage._TOTAL": "for metrics; in a thread",
}
STATEMENTS = {
    f"{module.name}.{name}": text
    for module in iter_modules(rows.__path__)
    for name, text in vars(import_module(f"{rows.__name__}.{module.name}")).items()
    if isinstance(text, str) and text.split()[:1] in (["SELECT"], ["UPDATE"], ["DELETE"], ["WITH"])
}


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - EXEMPT.keys()))
def test_a_statement_follows_an_index(name, assert_indexed):
    assert_indexed(STATEMENTS[name])


@pytest.mark.parametrize("name", sorted(EXEMPT))
def test_an_exemption_is_still_needed(name, assert_indexed):
    with pytest.raises(AssertionError):
        assert_indexed(STATEMENTS[name])
