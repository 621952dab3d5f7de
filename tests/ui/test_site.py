"""Which requests are for pages, and the headers of every one of them."""

import dataclasses
import threading

import pytest

from simple_registry.config.settings import Settings, Web
from simple_registry.ui import site
from simple_registry.ui.render import POLICY
from support.access import ADMINS, binding, rules
from support.front import Front
from support.pages import Browser
from support.stores import in_memory

PATHS = ["/", "/ui", "/ui/", "/ui/-/sign-in", "/ui/-/nothing", "/ui/team/app/-/tags", "/ui/%3Cb%3E", "/ui/-/assets/x"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PATCH", "BREW"])
def test_every_answer_to_a_browser_is_safe(browser, path, method):
    reply = browser.ask(method, path)
    headers = dict(reply.headers)
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "private, no-store"
    assert headers["vary"] == "Cookie"
    assert "access-control-allow-origin" not in headers
    assert "docker-distribution-api-version" not in headers


def test_the_policy_lets_a_page_load_only_our_own_files():
    allowed = dict(directive.split(" ", 1) for directive in POLICY.split("; "))
    assert set(allowed.values()) == {"'none'", "'self'"}
    assert {name for name, value in allowed.items() if value == "'none'"} == {
        "default-src",
        "base-uri",
        "frame-ancestors",
    }


@pytest.mark.parametrize("path", ["/", "/ui", "/ui/-/sign-in", "/ui/-/assets/x", "/ui/a/-/tags"])
def test_without_pages_their_addresses_do_not_exist(clock, path):
    settings = dataclasses.replace(Settings(), web=dataclasses.replace(Web(), ui=False))
    with Front(in_memory(clock), clock, settings) as front:
        reply = front.get(path, user=None, headers={"accept": "text/html"})
        assert (reply.status, reply.codes) == (404, ["UNSUPPORTED"])
        assert reply.header("content-security-policy") == "default-src 'none'; sandbox"


@pytest.mark.parametrize("path", ["/v2/", "/v2/ui/-/tags/list", "/uix/-/sign-in", "/healthz", "/ui-/x"])
def test_other_addresses_get_no_page(memory_front, path):
    reply = memory_front.get(path, headers={"accept": "text/html"})
    assert reply.header("content-type") == "application/json"


def test_a_page_of_a_failed_request_knows_its_user(admin, browser):
    assert admin.get("/ui/-/nothing", status=404).one("details", class_="menu")
    assert Browser(browser.front).get("/ui/-/nothing", status=404).all("details") == []


def test_all_pages_are_one_endpoint_in_the_metrics(memory_front, admin):
    admin.get("/")
    memory_front.application._measures.copy()
    assert 'endpoint="page",method="GET"' in memory_front.get("/metrics").body.decode()


def test_an_action_that_began_before_its_user_lost_the_right_changes_nothing(make_front):
    front = make_front(rules=rules(binding("ada", ADMINS, "^"), users=["ada"]))
    front.open_session("team/app")
    ada = Browser(front).sign_in("ada")
    page = ada.get("/ui/-/uploads")
    path = page.one("td", class_="act").one("a")["href"]
    form = f"form-token={page.one('details').one('input')['value']}".encode()

    async def body():
        yield form[:-1]
        front.access.rules = rules(users=["ada"])
        yield form[-1:]

    with front.unchanged():
        assert ada.ask("POST", path, body=body()).status == 403
    front.access.rules = rules(binding("ada", ADMINS, "^"), users=["ada"])
    assert ada.ask("POST", path, body=form).status == 303


def test_templates_are_loaded_off_the_event_loop_before_the_first_page(memory_front, monkeypatch):
    threads = []
    monkeypatch.setattr(site, "load_templates", lambda: threads.append(threading.current_thread()))
    memory_front.get("/v2/")
    assert threads == []
    for _ in range(2):
        Browser(memory_front).get("/ui/-/sign-in")
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()
