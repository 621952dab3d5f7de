"""Every page: for everyone, with every theme, width and input that people have."""

import re

import pytest

from browser.accessibility import violations
from browser.pages import PAGES
from browser.visits import Theme

pytestmark = pytest.mark.browser

MAX_TABS = 400
REQUEST_ID = re.compile(r"[0-9a-f]{12}-[0-9a-f]+")
FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element);
  return {
    number: [...document.querySelectorAll("*")].indexOf(element),
    visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    what: element.outerHTML.slice(0, 200),
  };
}"""
REACHABLE = """() => [
  ...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary"),
].filter(each => each.checkVisibility({ visibilityProperty: true }) && !each.disabled).length"""


@pytest.fixture(params=PAGES, ids=str)
def address(request):
    """Each of the pages."""
    return request.param


@pytest.mark.parametrize("theme", Theme)
def test_axe_finds_no_violation(browser, site, address, theme):
    with browser.visit(site.registry, address.visitor, theme=theme) as visit:
        page = visit.go(address.path(site), status=address.status)
        found = violations(page)
        page.set_viewport_size({"width": 360, "height": 800})
        assert found + violations(page) == []


def test_nothing_is_wider_than_a_phone(browser, site, address):
    with browser.visit(site.registry, address.visitor, width=360) as visit:
        page = visit.go(address.path(site), status=address.status)
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_page_reads_the_same_without_scripts(browser, site, address):
    path = address.path(site)
    with browser.visit(site.registry, address.visitor, script=False) as visit:
        plain = visit.go(path, status=address.status).locator("main").inner_text()
    with browser.visit(site.registry, address.visitor) as visit:
        page = visit.go(path, status=address.status)
        page.evaluate("document.querySelectorAll('time').forEach(each => { each.textContent = '' })")
        scripted = page.locator("main").inner_text()
    missing = set(scripted.split()) - set(plain.split())
    assert not {word for word in missing if REQUEST_ID.fullmatch(word) is None}


def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser, site, address):
    with browser.visit(site.registry, address.visitor) as visit:
        page = visit.go(address.path(site), status=address.status)
        page.evaluate("document.activeElement.blur(); window.getSelection().removeAllRanges()")
        page.evaluate("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
        reachable, reached = page.evaluate(REACHABLE), []
        for _ in range(MAX_TABS):
            page.keyboard.press("Tab")
            focused = page.evaluate(FOCUSED)
            if focused is None or (reached and focused["number"] == reached[0]):
                break
            assert focused["visible"], focused["what"]
            reached.append(focused["number"])
        assert reached == sorted(reached), "the order of the document"
        assert len(reached) == reachable


def test_the_first_key_offers_to_skip_the_menu(browser, site, address):
    with browser.visit(site.registry, address.visitor) as visit:
        page = visit.go(address.path(site), status=address.status)
        page.evaluate("document.activeElement.blur()")
        assert page.locator("body > :first-child").get_attribute("href") == "#content"
        assert page.locator("h1").count() == 1
        assert page.title().endswith(site.registry.host)
