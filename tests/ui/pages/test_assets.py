"""Files for browsers: small, kept for ever, each version under a name of its own."""

import re

from simple_registry.ui.assets import PATH, load_assets
from support.front import CLIENT

LIMIT = 60_000


def test_a_page_names_the_assets_that_there_are(memory_front, browser):
    page = browser.get("/ui/-/sign-in")
    urls = {each.attributes.get("href") or each["src"] for each in [*page.all("link"), *page.all("script")]}
    assert urls == {asset.url for asset in load_assets().values()}
    for url in urls:
        reply = browser.ask("GET", url)
        assert reply.status == 200
        assert reply.header("cache-control") == "public, max-age=31536000, immutable"
        assert reply.header("x-content-type-options") == "nosniff"
        assert re.fullmatch(rf"{PATH}\w+-[0-9a-f]{{16}}\.\w+", url)


def test_an_asset_that_a_browser_has_is_not_sent_again(memory_front):
    url = load_assets()["ui.css"].url
    first = memory_front.get(url, user=None)
    again = memory_front.get(url, user=None, headers={"if-none-match": first.header("etag")})
    assert (again.status, again.body) == (304, b"")
    assert memory_front.head(url, user=None).header("content-length") == str(len(first.body))


def test_other_names_are_absent(memory_front):
    for name in ("ui.css", "ui-0000000000000000.css", "..", "%2e%2e%2fsite.py"):
        assert memory_front.get(f"{PATH}{name}", user=None).status == 404


def test_all_assets_together_are_small():
    assert sum(len(asset.content) for asset in load_assets().values()) < LIMIT


def test_nothing_in_an_asset_comes_from_another_host():
    for asset in load_assets().values():
        text = asset.content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "//" not in text.replace("// ", "")
        assert "@import" not in text


def test_assets_need_no_credentials_and_no_cookie(memory_front):
    reply = memory_front.get(load_assets()["ui.js"].url, user=None, client=CLIENT)
    assert (reply.status, reply.header("set-cookie"), reply.header("vary")) == (200, None, None)
