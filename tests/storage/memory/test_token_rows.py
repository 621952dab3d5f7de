"""The contracts run on it (`tests/storage/contracts`); here only what is its own."""

from storage.support import run
from support.memory.token_rows import MemoryTokenRows


def test_it_begins_empty():
    assert run(MemoryTokenRows().page_tokens(None, None, 9)) == []
