"""Signing in and out, and what other sites cannot do with a signed-in visitor's browser."""

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from browser.site import ADMIN, DEVELOPER, NARROW, PUBLIC, issue_token
from e2e.server import PASSWORD, serve

pytestmark = pytest.mark.browser


@contextmanager
def other_site(body):
    """Serve one page from another port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def signed_in(visit):
    """Return the name in the menu, or nothing."""
    name = visit.page.locator("header .name")
    return name.inner_text() if name.count() else None


def test_a_visitor_signs_in_with_a_password_and_out(browser, site):
    with browser.visit(site.registry) as visit:
        visit.sign_in(DEVELOPER, PASSWORD)
        visit.page.wait_for_url(f"{visit.origin}/")
        assert signed_in(visit) == DEVELOPER
        visit.page.locator("header summary").click()
        visit.page.get_by_role("button", name="Sign out").click()
        visit.go("/")
        assert signed_in(visit) is None


def test_a_visitor_signs_in_with_an_issued_token(browser, site):
    with browser.visit(site.registry) as visit:
        visit.sign_in(ADMIN, issue_token(site.registry)["secret"])
        visit.page.wait_for_url(f"{visit.origin}/")
        assert signed_in(visit) == ADMIN


def test_the_form_says_that_a_password_is_wrong_and_keeps_the_visitor_out(browser, site):
    with browser.visit(site.registry) as visit:
        visit.sign_in(NARROW, "not it")
        notice = visit.page.get_by_role("status")
        notice.wait_for()
        assert "wrong" in notice.inner_text()
        assert visit.page.context.cookies() == []


def test_signing_in_leads_back_to_the_page_that_asked_for_it(browser, site):
    with browser.visit(site.registry) as visit:
        page = visit.go("/?q=hello")
        page.get_by_role("link", name="Sign in").click()
        page.get_by_label("User name").fill(DEVELOPER)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{visit.origin}/?q=hello")


@pytest.mark.parametrize("to", ["https://example.com/", "//example.com/", "/\\example.com", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_site(browser, site, to):
    with browser.visit(site.registry) as visit:
        page = visit.go(f"/ui/-/sign-in?to={to}")
        page.get_by_label("User name").fill(DEVELOPER)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{visit.origin}/")


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(browser, site):
    with browser.visit(site.registry, DEVELOPER) as visit:
        page = visit.go("/")
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
        assert site.registry.host.rpartition(":")[2] in cookie["name"]
        assert page.evaluate("document.cookie") == ""


def test_over_tls_the_cookie_is_secure_and_bound_to_the_host(browser, tmp_path):
    with serve(tmp_path, tls=True) as registry, browser.visit(registry, ADMIN) as visit:
        visit.go("/")
        (cookie,) = visit.page.context.cookies()
        assert cookie["secure"]
        assert cookie["name"].startswith("__Host-")


@pytest.mark.parametrize("path", ["/v2/", "/v2/_catalog", "/v2/shop/web/tags/list", "/api/v1/usage", "/api/v1/tokens"])
def test_the_api_answers_as_if_there_were_no_cookie(browser, site, path):
    anonymous = site.registry.request("GET", path, anonymous=True)
    with browser.visit(site.registry, ADMIN) as visit:
        answer = visit.go("/").context.request.get(visit.origin + path)
        assert answer.status == anonymous.status
        assert "shop/" not in answer.text().replace(path, "")


def test_after_signing_out_the_back_button_shows_nothing_private(browser, site):
    with browser.visit(site.registry) as visit:
        visit.sign_in(DEVELOPER, PASSWORD)
        visit.page.wait_for_url(f"{visit.origin}/")
        assert "shop/api" in visit.page.inner_text("main")
        visit.page.locator("header summary").click()
        visit.page.get_by_role("button", name="Sign out").click()
        visit.page.wait_for_function("!document.querySelector('header .name')")
        visit.page.go_back()
        assert "shop/api" not in visit.page.inner_text("main")


def test_signing_out_ends_the_session_at_the_server(browser, site):
    with browser.visit(site.registry) as visit:
        visit.sign_in(DEVELOPER, PASSWORD)
        visit.page.wait_for_url(f"{visit.origin}/")
        stolen = visit.page.context.cookies()
        visit.page.locator("header summary").click()
        visit.page.get_by_role("button", name="Sign out").click()
        visit.page.wait_for_function("!document.querySelector('header .name')")
        visit.page.context.add_cookies(stolen)
        visit.go("/", status=401)
        assert signed_in(visit) is None


def test_without_anonymous_there_is_nothing_but_the_form(browser, closed):
    with browser.visit(closed) as visit:
        page = visit.go("/", status=401)
        assert page.get_by_label("Password").is_visible()
        assert re.findall(r"[a-z]+/[a-z]+:", page.inner_text("main")) == []
        assert page.get_by_role("main").get_by_role("link").count() == 0


def test_an_empty_registry_shows_how_to_push_to_this_address(browser, closed):
    with browser.visit(closed, ADMIN) as visit:
        assert f"docker push {closed.host}/" in visit.go("/").inner_text("main")


def test_a_form_of_another_site_changes_nothing(browser, site):
    form = f'<form method="post" action="http://{site.registry.host}/ui/-/sign-out"><button>Win</button></form>'
    with other_site(form) as url, browser.visit(site.registry) as visit:
        visit.sign_in(DEVELOPER, PASSWORD)
        visit.page.wait_for_url(f"{visit.origin}/")
        visit.page.goto(url)
        with visit.page.expect_navigation() as navigation:
            visit.page.get_by_role("button").click()
        assert navigation.value.status == 403
        visit.faults.clear()  # the other site was asked for, as it was meant to be
        visit.go("/")
        assert signed_in(visit) == DEVELOPER


def test_no_other_site_can_sign_a_visitor_in(browser, site):
    form = f"""<form method="post" action="http://{site.registry.host}/ui/-/sign-in">
    <input name="name" value="{NARROW}"><input name="password" value="{PASSWORD}"><button>Win</button></form>"""
    with other_site(form) as url, browser.visit(site.registry) as visit:
        visit.page.goto(url)
        with visit.page.expect_navigation() as navigation:
            visit.page.get_by_role("button").click()
        assert navigation.value.status == 403
        assert visit.page.context.cookies() == []
        visit.faults.clear()


def test_no_other_site_can_frame_a_page(browser, site):
    with (
        other_site(f'<iframe src="http://{site.registry.host}/"></iframe>') as url,
        browser.visit(site.registry) as visit,
    ):
        visit.page.goto(url)
        (frame,) = visit.page.main_frame.child_frames
        assert PUBLIC not in frame.content()
        assert any("frame-ancestors" in fault for fault in visit.faults)
        visit.faults.clear()


def test_revoking_the_token_that_signed_in_ends_the_session(browser, site):
    token = issue_token(site.registry)
    with browser.visit(site.registry) as visit:
        visit.sign_in(ADMIN, token["secret"])
        visit.page.wait_for_url(f"{visit.origin}/")
        assert site.registry.request("DELETE", f"/api/v1/tokens/{token['id']}").status == 204
        visit.page.wait_for_timeout(1100)
        visit.page.reload()
        assert signed_in(visit) is None
