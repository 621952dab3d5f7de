"""The words of the pages of the registry cover what they say by name."""

import pytest

from simple_registry.storage.records import Origin
from simple_registry.ui.administration_texts import ADMINISTRATION_TEXTS
from simple_registry.ui.pages import collection, retention, tokens, uploads


@pytest.mark.parametrize(
    ("beginning", "names"),
    [
        ("tokens.done.", tokens.DONE),
        ("uploads.done.", uploads.DONE),
        ("tokens.expires.", tokens.LIVES),
        ("collection.origin.", Origin),
        ("collection.done.", collection.DONE),
        ("retention.done.", retention.DONE),
    ],
)
def test_each_name_has_words(beginning, names):
    assert {key.removeprefix(beginning) for key in ADMINISTRATION_TEXTS if key.startswith(beginning)} == set(
        map(str, names)
    )
