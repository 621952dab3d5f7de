"""A proxy that nothing names is warned of, once."""

from ipaddress import ip_network

import msgspec
import pytest

from simple_registry.authentication.login_memory import LoginMemory
from simple_registry.authentication.login_throttle import FREE_FAILURES_OF_NETWORK, LoginThrottle
from simple_registry.http.messages import NO_BODY, Request
from simple_registry.http.origins import Origins
from simple_registry.http.proxy_signs import ProxySigns

UNTOLD = "a proxy seems to be in front of the registry"
TOGETHER = "login attempts of all clients of a proxy are throttled together"


def request(peer="127.0.0.1", host="registry.example", **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", "/v2/", "", names, NO_BODY, "id", client=peer, peer=peer, host=host)


@pytest.fixture
def memory():
    return LoginMemory()


@pytest.fixture
def signs(memory, clock):
    """Make the signs of one worker of several."""

    def signs(*trusted, external_url=None):
        return ProxySigns(Origins(external_url, trusted), memory, LoginThrottle(memory, clock, lambda _: None))

    return signs


@pytest.fixture
def throttled(memory, clock):
    """Let all logins of an address be throttled."""

    def throttled(client):
        throttle = LoginThrottle(memory, clock, lambda _: None)
        for number in range(FREE_FAILURES_OF_NETWORK):
            attempt = throttle.attempt(client, f"user{number}")
            throttle.end(attempt, throttle.begin(attempt), right=False)

    return throttled


def said(caplog):
    return [record.getMessage().partition(",")[0].partition(";")[0] for record in caplog.records][-2:]


@pytest.mark.parametrize(
    "sign",
    [
        request(),
        request("::1"),
        request("unix"),
        request("10.0.0.1", x_forwarded_for="203.0.113.1"),
        request("10.0.0.1", "localhost", forwarded="for=203.0.113.1"),
        request("10.0.0.1", x_real_ip="203.0.113.1"),
    ],
    ids=lambda each: f"{each.peer} {each.host} {','.join(each.headers)}",
)
def test_a_proxy_that_nothing_names_is_warned_of_once_over_all_workers(signs, sign, caplog):
    one, two = signs(), signs()
    for each in (one, two, one):
        each.observe(sign)
    assert said(caplog) == [UNTOLD]
    assert caplog.records[0].fields == {"peer": sign.peer, "host": sign.host}


@pytest.mark.parametrize(
    "plain",
    [request(host="localhost:5000"), request("unix", "localhost"), request("203.0.113.1")],
    ids=lambda each: f"{each.peer} {each.host} {','.join(each.headers)}",
)
def test_a_client_without_a_proxy_causes_no_warning(signs, throttled, plain, caplog):
    throttled(plain.peer)
    caplog.clear()
    signs().observe(plain)
    assert said(caplog) == []


def test_configured_proxies_cause_no_warning(signs, caplog):
    signs(ip_network("127.0.0.0/8")).observe(request())
    signs("unix").observe(request("unix"))
    signs(external_url="https://r.example").observe(request())
    assert said(caplog) == []


def test_logins_that_are_throttled_together_are_warned_of_once(signs, throttled, caplog):
    for how in ({}, {"external_url": "https://r.example"}):
        signs(**how).observe(request())
    caplog.clear()
    throttled("127.0.0.1")
    caplog.clear()
    for _ in range(2):
        signs(external_url="https://r.example").observe(request())
        signs(ip_network("10.0.0.0/8")).observe(request())  # another one is named
    assert said(caplog) == [TOGETHER]


def test_a_trusted_proxy_without_forwarded_address_causes_a_warning(signs, throttled, caplog):
    throttled("127.0.0.1")
    throttled("203.0.113.1")
    caplog.clear()
    observing = signs(ip_network("127.0.0.0/8"))
    observing.observe(msgspec.structs.replace(request(x_forwarded_for="203.0.113.1"), client="203.0.113.1"))
    assert said(caplog) == []
    observing.observe(request())
    assert said(caplog) == [TOGETHER]
