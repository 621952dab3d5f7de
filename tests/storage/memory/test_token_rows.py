"""The contracts run on it (`tests/storage/contracts`); here only what is its own."""

from simple_registry.storage.memory.token_rows import MemoryTokenRows
from storage.support import run


def test_it_begins_empty():
    assert run(MemoryTokenRows().page_tokens(None, None, 9)) == []
