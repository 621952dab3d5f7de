"""The cookie of a web session."""

import pytest

from simple_registry.http.messages import NO_BODY, Request
from simple_registry.ui.address import Address
from simple_registry.ui.cookies import cookie_name, find_session, no_session_cookie, session_cookie

SAFE = Address("https", "r.example")


def request(cookie):
    return Request("GET", "/", "", {} if cookie is None else {"cookie": cookie}, NO_BODY, "1")


@pytest.mark.parametrize(
    ("cookie", "found"),
    [
        (None, None),
        ("", None),
        ("__Host-simple-registry-443=a.b-c_d", "a.b-c_d"),
        ("x=y; __Host-simple-registry-443=a ;z", "a"),
        ("__Host-simple-registry-443=a; __Host-simple-registry-443=b", "a"),
        ("simple-registry-443=a", None),
        ("__Host-simple-registry-5000=a", None),
        ("__Host-simple-registry-443=", None),
        ('__Host-simple-registry-443="a"', None),
        ("__Host-simple-registry-443=é", None),
    ],
)
def test_only_the_cookie_of_this_address_is_found(cookie, found):
    assert find_session(request(cookie), SAFE) == found


def test_without_tls_the_name_has_no_prefix_and_the_cookie_no_flag():
    plain = Address("http", "r.example:5000")
    assert cookie_name(plain) == "simple-registry-5000"
    assert session_cookie("a", 9, plain) == (
        "set-cookie",
        "simple-registry-5000=a; Max-Age=9; Path=/; HttpOnly; SameSite=Strict",
    )


def test_signing_out_removes_the_cookie():
    assert no_session_cookie(SAFE)[1].startswith("__Host-simple-registry-443=; Max-Age=0; Path=/; HttpOnly")
