"""What an application learns about an exchange that goes wrong."""

from simple_registry.content import ContentInterrupted
from simple_registry.wire.exchange import BodyMalformed, BodyTooSlow, ClientGone


def test_a_malformed_body_is_an_interrupted_one():
    error = BodyMalformed(7, "a reason")
    assert isinstance(error, ContentInterrupted)
    assert (error.received, error.announced, error.reason) == (7, None, "a reason")


def test_a_slow_body_says_over_which_time():
    assert str(BodyTooSlow(60.0)) == "too few bytes in 60 seconds"


def test_a_client_that_left_says_whether_its_answer_had_begun():
    assert ClientGone("why", begun=True).begun
    assert str(ClientGone("why", begun=False)) == "why"
