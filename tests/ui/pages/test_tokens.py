"""Tokens on the pages: the same rules as at `/api/v1/tokens`."""

import pytest

from support.access import READWRITE, binding, rules
from support.front import PASSWORD
from support.pages import Browser, read

TOKENS = "/ui/-/tokens"
HOSTILE = '<script>alert("1")</script>'


@pytest.fixture
def lines():
    return []


@pytest.fixture
def front(make_front, lines):
    return make_front(rules=rules(binding("ada", READWRITE, "^team/"), users=["ada", "eve"]), audit=lines.append)


def creating(page):
    return page.one("form", class_="stacked")


def create(browser, **fields):
    reply = browser.submit(creating(browser.get(TOKENS)), **{"description": "ci", **fields})
    assert reply.status == 201, reply
    return read(reply.body).all("div", class_="copy-field")[0].one("code").text


def rows(page):
    return [[cell.text for cell in row.content if not isinstance(cell, str)] for row in page.one("tbody").all("tr")]


def test_a_token_is_created_shown_once_used_and_revoked(front, lines):
    browser = Browser(front).sign_in("ada")
    secret = create(browser, expires="7d", scopes="repository:^team/app$:pull\nregistry:catalog:*")
    assert browser.reply.header("cache-control") == "private, no-store"
    assert front.get("/v2/", token=secret).status == 200
    page = browser.get(TOKENS)
    assert secret not in browser.reply.body.decode()
    ((title, scopes, _, expires, used, _),) = rows(page)
    assert title.startswith("ci ")
    assert scopes == "repository:^team/app$:pull registry:catalog:*"
    assert "2023-11-21" in expires
    front.settle()
    assert "2023-11-14" in rows(browser.get(TOKENS))[0][4] or used
    asking = browser.get(page.one("td", class_="act").one("a")["href"])
    reply = browser.submit(asking.one("form", class_="confirm"))
    assert (reply.status, reply.location) == (303, f"{TOKENS}?done=revoked")
    assert browser.get(reply.location).one("p", class_="good")
    assert front.get("/v2/", token=secret).status == 401
    assert [line["event"] for line in lines if "token." in line["event"]] == ["token.create", "token.revoke"]
    assert secret not in repr(lines)


def test_a_token_of_no_limits_and_no_end_is_one(front):
    browser = Browser(front).sign_in("ada")
    create(browser, expires="never", description=HOSTILE)
    page = browser.get(TOKENS)
    assert HOSTILE in rows(page)[0][0]
    assert rows(page)[0][1:2] == ["all that its user may do"]
    assert rows(page)[0][3] == "never"
    assert [each.text for each in page.all("script")] == [""]
    assert HOSTILE in browser.get(page.one("td", class_="act").one("a")["href"]).one("dl").text


@pytest.mark.parametrize(
    ("fields", "fact"),
    [
        ({"expires": "x"}, "expires"),
        ({"expires": ""}, "expires"),
        ({"scopes": "nonsense"}, "scopes"),
        ({"description": "x" * 201}, "description"),
    ],
)
def test_what_cannot_be_created_is_refused_with_the_reason(front, fields, fact):
    browser = Browser(front).sign_in("ada")
    form = creating(browser.get(TOKENS))
    with front.unchanged():
        reply = browser.submit(form, **{"description": "ci", "expires": "1d", **fields})
    assert reply.status == 400
    assert fact in [each.text for each in read(reply.body).one("dl").all("dt")]


def test_who_signed_in_with_a_token_creates_none(front):
    secret = create(Browser(front).sign_in("ada"), expires="1d")
    browser = Browser(front).sign_in("ada", secret)
    page = browser.get(TOKENS)
    assert page.all("form", class_="stacked") == []
    token = page.one("details").one("input")["value"]
    with front.unchanged():
        assert browser.post(TOKENS, {"form-token": token, "description": "x", "expires": "1d"}).status == 403


def test_users_see_and_revoke_their_own_and_administrators_all(front):
    create(Browser(front).sign_in("ada"), description="of ada", expires="1d")
    eve, admin = Browser(front).sign_in("eve"), Browser(front).sign_in()
    assert eve.get(TOKENS).all("tbody") == []
    assert eve.get(f"{TOKENS}?all=yes").all("tbody") == []
    assert admin.get(TOKENS).all("tbody") == []
    page = admin.get(f"{TOKENS}?all=yes")
    assert rows(page)[0][1] == "ada"
    path = page.one("td", class_="act").one("a")["href"]
    with front.unchanged():
        eve.get(path, status=404)
        assert eve.post(path, {"form-token": eve.get(TOKENS).one("details").one("input")["value"]}).status == 404
    assert admin.submit(admin.get(path).one("form", class_="confirm")).location == f"{TOKENS}?all=yes&done=revoked"


def test_nothing_is_done_without_a_session_or_its_token(front):
    with front.unchanged():
        Browser(front).get(TOKENS, status=401)
        assert Browser(front).post(TOKENS, {"description": "x", "expires": "1d"}).status == 401
    browser = Browser(front).sign_in("ada")
    with front.unchanged():
        assert browser.post(TOKENS, {"description": "x", "expires": "1d"}).status == 403


def test_read_only_mode_refuses_with_its_reason(front):
    browser = Browser(front).sign_in("ada")
    form = creating(browser.get(TOKENS))
    front.run(front.services.registry.read_only.begin("a move"))
    reply = browser.submit(form, description="x", expires="1d")
    assert reply.status == 503
    assert b"a move" in reply.body


def test_many_tokens_come_in_pages(front):
    for number in range(53):
        token = front.run(front.services.registry.tokens.create("ada", f"t{number}", expires=None, scopes=None))
        assert token
        front.clock.advance(1)
    browser = Browser(front).sign_in("ada")
    page = browser.get(TOKENS)
    assert len(rows(page)) == 50
    assert len(rows(browser.get(page.one("a", rel="next")["href"]))) == 3


def test_the_login_command_quotes_the_name(make_front):
    name = "ada o'neill"
    browser = Browser(make_front(rules=rules(users=[name]))).sign_in(name, PASSWORD)
    browser.submit(creating(browser.get(TOKENS)), description="x", expires="1d")
    commands = [each.one("code").text for each in read(browser.reply.body).all("div", class_="copy-field")]
    assert commands[1] == "docker login -u 'ada o'\"'\"'neill' registry.example:5000"
