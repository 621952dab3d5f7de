"""Durations of Go programs, as durations of documents."""

import pytest

from simple_registry.config.foreign.durations import translate_duration
from simple_registry.config.values import ConfigError
from simple_registry.times import parse_duration


@pytest.mark.parametrize(
    ("text", "translated"),
    [("168h", "168h"), ("1h30m", "90m"), ("2h0m0s", "2h"), ("90s", "90s"), ("1500ms", "1.5s"), ("0.5h", "30m")],
)
def test_a_duration_is_the_same_time(text, translated):
    assert translate_duration(text) == translated
    assert parse_duration(translated) > 0


@pytest.mark.parametrize("text", ["", "7d", "10", "h", "1h 2m", "-1h"])
def test_what_go_does_not_accept_is_refused(text):
    with pytest.raises(ConfigError):
        translate_duration(text)
