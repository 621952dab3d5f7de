"""Signing in and out, and what a session may do."""

import json
from urllib.parse import quote

import pytest

from simple_registry.access.token_secrets import token_hash
from simple_registry.authentication.web_sessions import LIFE
from simple_registry.operations.cutoffs import MAX_SKEW
from support.access import READONLY, READWRITE, binding, rules, static_token
from support.documents import push_image
from support.front import PASSWORD, Front, basic
from support.pages import Browser, read

ADA = rules(binding("ada", READWRITE, "^team/.*$", "^$"), users=["ada"])
SIGN_IN = "/ui/-/sign-in"
ME = {"name": "ada", "password": PASSWORD}


@pytest.fixture
def front(make_front):
    front = make_front(rules=ADA)
    push_image(front, "team/app", "v1")
    return front


def test_a_password_begins_a_session(front):
    browser = Browser(front).sign_in("ada")
    page = browser.get("/")
    assert page.one("details", class_="menu").one("summary").text == "ada"
    assert [row.one("a").text for row in page.one("table").all("th", scope="row")] == ["team/ app"]


def test_the_form_is_all_that_is_shown_without_a_session(front):
    for path in ("/", "/ui/-/sign-in"):
        page = Browser(front).get(path, status=200 if path == SIGN_IN else 401)
        assert [form["action"].partition("?")[0] for form in page.all("form")] == [SIGN_IN]
        assert "team" not in page.text


def test_a_browser_goes_on_to_the_page_that_it_asked_for(front):
    browser = Browser(front)
    form = browser.get("/?q=app", status=401).one("form", class_="stacked")
    assert browser.submit(form, **ME).location == "/?q=app"


def test_the_cookie_is_kept_from_scripts_other_sites_and_other_hosts(front):
    browser = Browser(front)
    cookie = browser.post(SIGN_IN, ME).header("set-cookie")
    name, _, rest = cookie.partition("=")
    assert name == "__Host-simple-registry-5000"
    assert rest.partition("; ")[2] == f"Max-Age={LIFE}; Path=/; HttpOnly; SameSite=Strict; Secure"


@pytest.mark.parametrize(("host", "name"), [("localhost", "80"), ("localhost:5001", "5001"), ("[::1]:5000", "5000")])
def test_registries_on_one_host_have_cookies_of_their_own(front, host, name):
    front.secure = False
    browser = Browser(front, host=host)
    cookie = browser.post(SIGN_IN, ME).header("set-cookie")
    assert cookie.startswith(f"simple-registry-{name}=")
    assert "Secure" not in cookie
    assert browser.get("/").one("table")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "ada", "password": "wrong"},
        {"name": "nobody", "password": PASSWORD},
        {"name": "", "password": ""},
        {"name": "ada"},
        {},
        {"name": "ada", "password": "srt_unknown"},
        {"name": "ada", "password": "a.b.c"},
    ],
)
def test_wrong_credentials_begin_no_session(front, fields):
    browser = Browser(front)
    with front.unchanged():
        reply = browser.post(SIGN_IN, fields)
    assert reply.status == 401
    assert reply.header("set-cookie") is None
    assert read(reply.body).one("p", class_="bad")


def test_wrong_passwords_count_with_those_in_headers(front):
    verified = []
    front.verify = lambda password, stored, *, cost: bool(verified.append(password))
    assert Browser(front).post(SIGN_IN, {"name": "ada", "password": "guess"}).status == 401
    assert front.get("/v2/", user="ada", password="guess").status == 401
    assert verified == ["guess"]  # the second one is remembered as wrong


def test_tokens_begin_sessions_with_their_limits_and_end(make_front):
    static = static_token("a static token of ada, which is long", "ada", scopes=["repository:^team/app$:pull"])
    front = make_front(rules=rules(binding("ada", READWRITE, "^team/.*$", "^$"), users=["ada"], tokens=[static]))
    secret = front.post(
        "/api/v1/tokens",
        user="ada",
        headers={"content-type": "application/json"},
        body=json.dumps({"expiresIn": "1h"}).encode(),
    ).json["secret"]
    assert token_hash(secret)
    browser = Browser(front)
    assert "Max-Age=3600" in browser.post(SIGN_IN, {"name": "ada", "password": secret}).header("set-cookie")
    assert browser.get("/")
    limited = Browser(front)
    assert limited.post(SIGN_IN, {"name": "ada", "password": "a static token of ada, which is long"}).status == 303
    assert limited.get("/", status=403)  # its scopes do not reach the catalog


def test_an_access_token_begins_no_session(front):
    token = front.get("/token", user="ada").json["token"]
    assert Browser(front).post(SIGN_IN, {"name": "ada", "password": token}).status == 401


def test_a_session_ends_with_its_time(front):
    browser = Browser(front).sign_in("ada")
    front.clock.advance(LIFE - 1)
    assert browser.get("/")
    front.clock.advance(2)
    page = browser.get("/", status=401)
    assert page.one(class_="notice")
    assert browser.cookies == {}


def test_a_session_ends_with_its_password_user_and_token(front):
    def begun(password=PASSWORD):
        browser = Browser(front).sign_in("ada", password)
        assert browser.get("/")
        return browser

    created = front.post("/api/v1/tokens", user="ada", headers={"content-type": "application/json"}, body=b"{}").json
    of_token, of_password = begun(created["secret"]), begun()
    front.delete(f"/api/v1/tokens/{created['id']}", user="ada")
    assert of_token.get("/", status=401)
    assert of_password.get("/")
    front.access.rules = rules()
    assert of_password.get("/", status=401)


def test_a_policy_change_takes_effect_at_the_next_page(front):
    browser = Browser(front).sign_in("ada")
    front.access.rules = rules(binding("ada", READONLY, "^other/.*$", "^$"), users=["ada"])
    assert browser.get("/").all("table") == []
    front.access.rules = rules(users=["ada"])
    assert browser.get("/", status=403)


def test_signing_out_ends_the_session_for_every_holder_of_the_cookie(front):
    browser = Browser(front).sign_in("ada")
    thief = Browser(front)
    thief.cookies = dict(browser.cookies)
    reply = browser.submit(browser.get("/").one("details").one("form"))
    assert (reply.status, reply.location, browser.cookies) == (303, "/", {})
    assert thief.get("/", status=401)
    with Front(front.kept, front.clock, rules=ADA) as restarted:
        thief.front = restarted
        thief.cookies = {"__Host-simple-registry-5000": "x"} | thief.cookies
        assert thief.get("/", status=401)


def test_signing_out_in_read_only_mode_forgets_the_cookie(front):
    browser = Browser(front).sign_in("ada")
    form = browser.get("/").one("details").one("form")
    front.run(front.services.registry.read_only.begin("a move"))
    assert browser.submit(form).status == 303
    assert browser.cookies == {}
    assert Browser(front).sign_in("ada").get("/")


@pytest.mark.parametrize(("more", "left"), [(-60, 1), (60, 0)])
def test_rows_of_ended_sessions_go_when_the_sessions_would_have(front, more, left):
    browser = Browser(front).sign_in("ada")
    browser.submit(browser.get("/").one("details").one("form"))
    sessions = front.kept.stores.rows.web_sessions
    front.clock.advance(LIFE + MAX_SKEW + more)
    front.run(front.services.garbage.collect())
    assert front.run(sessions.forget_web_sessions(1e12)) == left


def test_the_cookie_is_nothing_to_the_api(front):
    browser = Browser(front).sign_in("ada")
    (cookie,) = [f"{name}={value}" for name, value in browser.cookies.items()]
    token = cookie.partition("=")[2]
    for path in (
        "/v2/",
        "/v2/_catalog",
        "/v2/team/app/tags/list",
        "/api/v1/tokens",
        "/api/v1/usage",
        "/token",
        "/metrics",
    ):
        assert front.get(path, user=None, headers={"cookie": cookie}).status == 401
        assert front.get(path, token=token).status == 401
        assert front.get(path, headers={"authorization": basic("ada", token)}).status == 401


def test_an_authorization_header_is_nothing_to_pages(front):
    reply = front.get("/", headers={"accept": "text/html", "authorization": basic("admin", PASSWORD)})
    assert reply.status == 401
    assert reply.header("www-authenticate") == 'Cookie realm="simple-registry"'


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "https://registry.example:6000"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_no_other_site_signs_a_browser_in_or_out(front, headers):
    with front.unchanged():
        reply = Browser(front).post(SIGN_IN, ME, **headers)
    assert (reply.status, reply.header("set-cookie")) == (403, None)
    browser = Browser(front).sign_in("ada")
    form = browser.get("/").one("details").one("form")
    fields = {each["name"]: each["value"] for each in form.all("input")}
    assert browser.post("/ui/-/sign-out", fields, **headers).status == 403
    assert browser.get("/").one("table")


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é"])
def test_a_form_without_the_token_of_the_session_is_refused(front, token):
    browser = Browser(front).sign_in("ada")
    reply = browser.post("/ui/-/sign-out", {} if token is None else {"form-token": token})
    assert reply.status == 403
    assert browser.get("/").one("table")


def test_a_form_of_another_session_is_refused(front):
    one, other = Browser(front).sign_in("ada"), Browser(front).sign_in("ada")
    form = one.get("/").one("details").one("form")
    assert other.submit(form).status == 403


def test_a_form_of_no_known_origin_is_refused(front):
    reply = front.post(SIGN_IN, user=None, body=b"name=ada&password=open+sesame")
    assert (reply.status, reply.header("set-cookie")) == (403, None)


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/ui//evil.example",
        "javascript:alert(1)",
        "/v2/",
        "/ui/x\r\nset-cookie: a=b",
        "\t//evil.example",
        "",
    ],
)
def test_signing_in_leads_to_no_other_place(front, to):
    browser = Browser(front)
    path = f"{SIGN_IN}?to={quote(to, safe='')}"
    assert b"evil" not in browser.ask("GET", path).body
    reply = browser.post(path, ME)
    assert (reply.status, reply.location) == (303, "/")


def test_a_link_from_another_site_asks_again_with_the_cookie(front):
    browser = Browser(front).sign_in("ada")
    stranger = Browser(front)  # the browser keeps its strict cookie back
    page = stranger.get("/?q=app", status=401, sec_fetch_site="cross-site")
    assert page.one("meta", http_equiv="refresh")["content"] == "0"
    assert browser.get("/?q=app", sec_fetch_site="same-origin").all("meta", http_equiv="refresh") == []
