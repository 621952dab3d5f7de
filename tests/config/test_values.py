import contextlib
import ipaddress
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from simple_registry.config.settings import LogLevel
from simple_registry.config.values import (
    ConfigError,
    TcpAddress,
    UnixAddress,
    parse_address,
    parse_count,
    parse_count_or_none,
    parse_external_url,
    parse_path,
    parse_proxy,
    parse_secret,
    parse_size,
    parse_token_timeout,
    parse_workers,
    token_timeout_warning,
    word_parser,
)


@pytest.mark.parametrize(
    ("text", "size"), [("4MiB", 4 << 20), ("20GB", 20 * 10**9), ("512", 512), ("1 KiB", 1024), ("3B", 3), ("1kB", 1000)]
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "4M", "4mib", "1.5GB", "4MiB\n", "\u0664", "1_000", "four"])
def test_other_texts_are_refused_as_sizes_with_an_example(text):
    with pytest.raises(ConfigError, match="write for example 4MiB"):
        parse_size(text)


def test_counts_and_workers():
    assert parse_count("7") == 7
    assert (parse_count_or_none("7"), parse_count_or_none("0")) == (7, 0)
    assert parse_workers("0") == 0
    for text in ("0", "-1", "x", ""):
        with pytest.raises(ConfigError):
            parse_count(text)
    for text in ("-1", "x", ""):
        with pytest.raises(ConfigError):
            parse_count_or_none(text)
    for text in ("1025", "-1", "x", ""):
        with pytest.raises(ConfigError):
            parse_workers(text)


def test_paths():
    assert parse_path("a/b") == Path("a/b")
    for text in ("", "a\0b"):
        with pytest.raises(ConfigError):
            parse_path(text)


def test_words_name_the_choices():
    assert word_parser(LogLevel)("info") is LogLevel.INFO
    with pytest.raises(ConfigError, match="known here: debug, error, info, warning"):
        word_parser(LogLevel)("loud")


@pytest.mark.parametrize(
    ("text", "addr"),
    [
        ("127.0.0.1:5000", TcpAddress("127.0.0.1", 5000)),
        (":5000", TcpAddress("", 5000)),
        ("[::1]:0", TcpAddress("::1", 0)),
        ("registry.example:443", TcpAddress("registry.example", 443)),
        ("unix:/run/r.sock", UnixAddress(Path("/run/r.sock"))),
        ("unix:r.sock", UnixAddress(Path("r.sock"))),
    ],
)
def test_addresses_are_read(text, addr):
    assert parse_address(text) == addr


@pytest.mark.parametrize(
    "text",
    ["", "5000", "localhost", "::1:5000", "[::1]", "[::g]:1", "h:65536", "h:-1", "h:+1", "h:5000\n", "a b:1", "-h:1",
     "h:\u0665", "unix:", "http://h:1", "h:1:2", "[]:1"],
)  # fmt: skip
def test_other_texts_are_refused_as_addresses_with_an_example(text):
    with pytest.raises(ConfigError, match=r"write host:port|not a path"):
        parse_address(text)


@given(st.ip_addresses(), st.integers(0, 65_535))
def test_every_ip_address_and_port_is_an_address(ip, port):
    host = f"[{ip}]" if ip.version == 6 else str(ip)
    parsed = parse_address(f"{host}:{port}")
    assert isinstance(parsed, TcpAddress)
    assert ipaddress.ip_address(parsed.host) == ip
    assert parsed.port == port


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_a_config_error(text):
    try:
        parsed = parse_address(text)
    except ConfigError:
        return
    assert isinstance(parsed, UnixAddress) or 0 <= parsed.port <= 65_535


@given(st.text(max_size=20))
def test_any_text_is_a_positive_size_or_a_config_error(text):
    with contextlib.suppress(ConfigError):
        assert parse_size(text) > 0


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://registry.example.com", "https://registry.example.com"),
        ("https://registry.example.com/", "https://registry.example.com"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_the_url_of_a_host_is_read(text, url):
    assert parse_external_url(text) == url


@pytest.mark.parametrize(
    "text",
    ["", "registry.example", "ftp://h", "https://", "https://h/v2", "https://u@h", "https://h?x", "https://h#x",
     "https://h:0", "https://h:65536", "https://h\n", 'https://h"', "https://[::g]", "HTTPS://h", "https://h//"],
)  # fmt: skip
def test_other_texts_are_refused_as_urls_of_a_host(text):
    with pytest.raises(ConfigError, match=r"is not the URL of a host|is not an address"):
        parse_external_url(text)


def test_a_secret_has_a_length_and_is_equal_by_its_text():
    text = "0123456789abcdef" * 2
    assert parse_secret(text) == parse_secret(text)
    assert len({parse_secret(text), parse_secret(text)}) == 1
    assert parse_secret(text) != parse_secret(text[:-1] + "F")
    with pytest.raises(ConfigError, match="at least 32 characters") as refused:
        parse_secret(text[:-1])
    assert "0123" not in str(refused.value)


@pytest.mark.parametrize(("text", "seconds"), [("1", 60), ("59s", 60), ("60", 60), ("15m", 900), ("24h", 86_400)])
def test_a_token_lives_for_a_minute_to_a_day(text, seconds):
    assert parse_token_timeout(text) == seconds
    assert (token_timeout_warning(text) is not None) is (text in {"1", "59s"})


def test_a_token_that_outlives_a_day_is_refused():
    with pytest.raises(ConfigError, match="write at most 24h"):
        parse_token_timeout("86401")


def test_networks_and_addresses_are_read():
    assert str(parse_proxy("10.0.0.0/8")) == "10.0.0.0/8"
    assert str(parse_proxy("192.0.2.7")) == "192.0.2.7/32"
    assert str(parse_proxy("fd00::/8")) == "fd00::/8"
    assert parse_proxy("unix") == "unix"
    with pytest.raises(ConfigError, match=r"is an address inside a network; write 10.0.0.0/8"):
        parse_proxy("10.1.2.3/8")
    for text in ("", "proxy.lan", "10.0.0.0/33", "10.0.0", "1" * 40, "10.0.0.\u0661"):
        with pytest.raises(ConfigError, match="is not a network"):
            parse_proxy(text)
