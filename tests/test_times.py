import time

import pytest
from hypothesis import given, strategies as st

from simple_registry.times import (
    TimeInvalid,
    format_duration,
    format_instant,
    format_moment,
    format_stamp,
    parse_duration,
    parse_expiry,
    parse_moment,
    parse_past,
    parse_stamp,
    parse_window,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 1), ("90", 90), ("30s", 30), ("15m", 900), ("12h", 43200), ("7d", 604800), ("2w", 1209600), ("1.5h", 5400)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds
    assert parse_expiry(text, 100.0) == 100 + seconds


@pytest.mark.parametrize(
    "text", ["2023-11-14T22:13:20Z", "2023-11-14t22:13:20z", "2023-11-14T23:13:20+01:00", "2023-11-14 22:13:20.000Z"]
)
def test_moments(text):
    assert parse_moment(text) == parse_expiry(text, 5.0) == 1_700_000_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0d",
        "-1d",
        "+1",
        "1y",
        "1 d",
        "1d\n",
        "\u0661d",
        "1" * 10,
        "h",
        "1h30m",
        "nan",
        "inf",
        "1e3",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-02-30T00:00:00Z",
        "2023-11-14T25:00:00Z",
        "2023-11-14T22:13:20+99:00",
        "2023-11-14T22:13:20Z\n",
        "0000-01-01T00:00:00Z",
        "never",
    ],
)
def test_everything_else_is_refused(text):
    with pytest.raises(TimeInvalid):
        parse_expiry(text, 0.0)


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", fullmatch=True))
def test_nothing_else_is_raised(text):
    try:
        assert isinstance(parse_expiry(text, 0.0), float)
    except TimeInvalid as error:
        assert str(error)  # noqa: PT017


@pytest.mark.parametrize("text", ["1s", "130s", "1m", "90m", "1h", "24h", "0.5s"])
def test_a_formatted_duration_is_short_and_means_the_same(text):
    assert format_duration(parse_duration(text)) == text


def test_a_moment_is_formatted_in_utc_to_the_second():
    assert format_moment(1_700_000_000.9) == "2023-11-14T22:13:20Z"


def test_a_stamp_is_short_and_means_the_same_second():
    assert format_stamp(1_700_000_000.9) == "20231114T221320Z"
    assert parse_stamp("20231114T221320Z") == 1_700_000_000


@pytest.mark.parametrize(
    "text", ["", "20231114T221320", "2023-11-14T22:13:20Z", "20230231T221320Z", "20231114T221320Z "]
)
def test_other_stamps_are_refused(text):
    with pytest.raises(TimeInvalid):
        parse_stamp(text)


@pytest.mark.parametrize("text", ["2h", "2h ago", "2h  ago", "7200", "2023-11-14T20:13:20Z"])
def test_a_past_moment_is_a_time_or_a_duration_ago(text):
    assert parse_past(text, 1_700_000_000.0) == 1_699_992_800


FAR = ["999999999w", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.9999Z"]
"""Before the year 1, and after the year 9999."""


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_first_and_the_last_second_can_be_written_again(text):
    assert format_instant(parse_past(text, 0.0)) == text.replace("Z", ".000Z")


@pytest.mark.parametrize("text", FAR)
def test_no_expiry_is_beyond_what_can_be_written(text):
    with pytest.raises(TimeInvalid):
        parse_expiry(text, 0.0)


@pytest.mark.parametrize("text", ["", "ago", "2h later", "yesterday", "-2h", "2023-11-14T20:13:20Z ago", *FAR])
def test_other_texts_are_no_past_moment(text):
    with pytest.raises(TimeInvalid):
        parse_past(text, 0.0)


@given(st.integers(0, 4_000_000_000_000))
def test_an_instant_is_shown_to_the_millisecond_and_read_back(milliseconds):
    when = round(milliseconds / 1000, 3)
    assert parse_moment(format_instant(when)) == when


def test_a_window_is_a_time_of_the_day_by_local_time_and_may_pass_midnight():
    def at(hour, minute):
        return time.mktime((2027, 1, 31, hour, minute, 0, 0, 0, -1))

    night, evening = parse_window("02:00-05:00"), parse_window("22:30-01:00")
    assert (str(night), str(evening)) == ("02:00-05:00", "22:30-01:00")
    assert [night.contains(at(*when)) for when in ((1, 59), (2, 0), (4, 59), (5, 0))] == [False, True, True, False]
    assert [evening.contains(at(*when)) for when in ((22, 29), (22, 30), (0, 59), (1, 0))] == [False, True, True, False]


@pytest.mark.parametrize(
    "text", ["", "2:00-5:00", "02:00", "24:00-05:00", "02:00-02:00", "02:60-05:00", "02:00-05:00\n"]
)
def test_other_windows_are_refused(text):
    with pytest.raises(TimeInvalid):
        parse_window(text)
