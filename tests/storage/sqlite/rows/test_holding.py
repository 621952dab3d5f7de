"""Statements are built from the tables of the life of content; the contracts cover their effects."""

from simple_registry.storage.life import HOLDINGS, HoldingEvent
from simple_registry.storage.sqlite.rows import holding


def test_each_event_has_a_statement_for_the_states_that_know_it():
    for event in HoldingEvent:
        states = {state for state, events in HOLDINGS.items() if event in events}
        for statements in (holding.BLOB_STATEMENTS, holding.MANIFEST_STATEMENTS):
            assert all(f"WHEN '{state}'" in statements[event] for state in states)
            assert statements[event].count("WHEN") == len(states)
