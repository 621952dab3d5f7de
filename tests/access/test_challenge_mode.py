"""The words that a configuration may say."""

from simple_registry.access.challenge_mode import ChallengeMode


def test_there_are_three_modes():
    assert list(ChallengeMode) == ["auto", "basic", "bearer"]
