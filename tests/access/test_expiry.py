"""When something expires, as people write it."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.expiry import ExpiryInvalid, parse_expiry, parse_lifetime, parse_moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 1), ("90", 90), ("30s", 30), ("15m", 900), ("12h", 43200), ("7d", 604800), ("2w", 1209600)],
)
def test_lifetimes(text, seconds):
    assert parse_lifetime(text) == seconds
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
        "1.5h",
        "1y",
        "1 d",
        "1d\n",
        "\u0661d",
        "1" * 13,
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
    with pytest.raises(ExpiryInvalid):
        parse_expiry(text, 0.0)


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", fullmatch=True))
def test_nothing_else_is_raised(text):
    try:
        assert isinstance(parse_expiry(text, 0.0), float)
    except ExpiryInvalid as error:
        assert str(error)  # noqa: PT017
