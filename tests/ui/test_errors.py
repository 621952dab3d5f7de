"""What a browser shows when something fails."""

import logging

import pytest

from simple_registry.faults import StorageFault, StorageFull
from simple_registry.http.bodies import ContentTypeUnsupported
from simple_registry.oci.errors import PreconditionFailed
from support.access import READONLY, binding, rules
from support.pages import Browser


def test_an_unknown_page_says_so_and_leads_home(admin):
    page = admin.get("/ui/-/nothing", status=404)
    assert page.one("p", class_="status").text == "404"
    assert page.one("main").all("a")[-1]["href"] == "/"
    assert page.one("dl").all("code")[-1].text == admin.reply.header("x-request-id")


def test_a_path_of_an_attacker_is_text(admin):
    page = admin.get("/ui/%3Cscript%3Ealert(1)%3C/script%3E", status=404)
    assert page.all("script") == [page.one("script")]
    assert page.one("script").text == ""


def test_a_refusal_names_what_is_missing(make_front):
    front = make_front(rules=rules(binding("eve", READONLY, "^team/"), users=["eve"]))
    page = Browser(front).sign_in("eve").get("/", status=403)
    assert page.one("p", class_="warn").text == "What is missing: GET on catalog in the registry."


def test_another_method_is_refused_with_those_that_work(admin):
    reply = admin.ask("DELETE", "/ui/-/sign-in")
    assert (reply.status, reply.header("allow")) == (405, "GET, HEAD, POST")
    assert b"<h1>" in reply.body


@pytest.mark.parametrize(
    ("error", "words"),
    [(PreconditionFailed, "It has changed meanwhile"), (ContentTypeUnsupported, "This request cannot be read")],
)
def test_an_error_of_the_request_is_no_fault_of_the_registry(admin, monkeypatch, error, words):
    async def refuses(*_args, **_how):
        raise error

    monkeypatch.setattr(admin.front.services.registry.repositories, "search", refuses)
    assert admin.get("/", status=error.status).one("h1").text == words


@pytest.mark.parametrize(
    ("fault", "status"), [(StorageFault("read", "gone"), 503), (StorageFull("write", "full"), 507), (ValueError(), 500)]
)
def test_a_fault_is_a_page_without_detail(admin, monkeypatch, caplog, fault, status):
    caplog.set_level(logging.CRITICAL)

    async def fails(*_args, **_how):
        raise fault

    monkeypatch.setattr(admin.front.services.registry.repositories, "search", fails)
    page = admin.get("/", status=status)
    assert page.one("p", class_="status").text == str(status)
    assert "gone" not in page.text


def test_a_page_that_cannot_be_shown_leaves_the_document(admin, monkeypatch, caplog):
    caplog.set_level(logging.CRITICAL)

    def fails(*_args, **_how):
        raise ValueError

    monkeypatch.setattr("simple_registry.ui.errors.render", fails)
    reply = admin.ask("GET", "/ui/-/nothing")
    assert (reply.status, reply.codes) == (404, ["UNSUPPORTED"])


def test_too_many_attempts_say_when_to_come_back(browser, monkeypatch):
    from simple_registry.oci.errors import TooManyRequests

    async def refuses(*_):
        raise TooManyRequests(retryAfter=7)

    monkeypatch.setattr(browser.front.services.authentication.authenticator, "log_in", refuses)
    reply = browser.post("/ui/-/sign-in", {"name": "a", "password": "b"})
    assert (reply.status, reply.header("retry-after")) == (429, "7")
    assert b"Try again in 7 s." in reply.body
