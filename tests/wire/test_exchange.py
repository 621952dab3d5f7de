"""The errors of an exchange, as an application sees them."""

from simple_registry.content import ContentInterrupted
from simple_registry.wire.exchange import BodyMalformed, BodyTooSlow, ClientGone


def test_a_malformed_body_counts_as_interrupted():
    error = BodyMalformed(7, "a reason")
    assert isinstance(error, ContentInterrupted)
    assert (error.received, error.announced, error.reason) == (7, None, "a reason")


def test_a_slow_body_has_its_period():
    assert str(BodyTooSlow(60.0)) == "too few bytes in 60 seconds"


def test_client_gone_has_whether_the_answer_had_begun():
    assert ClientGone("why", started=True).started
    assert str(ClientGone("why", started=False)) == "why"
