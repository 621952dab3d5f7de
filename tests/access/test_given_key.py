"""A key that the operator gives."""

import pytest

from simple_registry.access.given_key import GivenKey


@pytest.mark.parametrize("secret", [b"short", b"x" * 100])
def test_a_secret_of_any_length_gives_the_same_key_everywhere(secret):
    key = GivenKey(secret).current()
    assert key == GivenKey(secret).current()
    assert GivenKey(secret).find(key.kid) == key
    assert len(key.secret) == 32
    assert secret not in key.secret


def test_another_secret_is_another_key():
    assert GivenKey(b"a").current() != GivenKey(b"b").current()
    assert GivenKey(b"a").find(GivenKey(b"b").current().kid) is None


def test_nothing_of_it_is_shown():
    key = GivenKey(b"secret").current()
    assert repr(key.secret) not in repr(key)
    assert key.secret.hex()[:16] not in key.kid
