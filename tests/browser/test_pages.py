"""Every page: for everyone, with every theme, width and input that people have."""

import re

import pytest

from browser.accessibility import violations
from browser.pages import PAGES
from browser.visits import Theme

pytestmark = pytest.mark.browser

PHONE, TABLET, DESK = ({"width": width, "height": 900} for width in (360, 768, 1280))
MAX_TABS = 400
LETTERS = re.compile(r"[^\W\d_]{2,}")
"""A word that is the same in each answer, unlike numbers, times and request ids."""
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
REACHABLE = """() => [...document.querySelectorAll("*")].flatMap((each, number) =>
  each.matches("a[href], button, input:not([type=hidden]), select, textarea, summary") && !each.disabled
    && each.checkVisibility({ visibilityProperty: true }) ? [number] : [])"""
START = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""
WORDS = """() => {
  document.querySelectorAll("time").forEach(each => { each.textContent = "" });
  return document.querySelector("main").innerText;
}"""


@pytest.fixture(scope="module", params=PAGES, ids=str)
def address(request):
    """Each of the pages."""
    return request.param


@pytest.fixture(scope="module")
def shown(browser, site, address):
    """The page in its visitor's browser: one for the tests of this module, each of which leaves it as it was."""
    with browser.visit(site.registry, address.visitor, **DESK) as visit:
        yield visit.go(address.path(site), status=address.status)


def test_the_keyboard_reaches_everything_and_shows_where_it_is(shown):
    shown.evaluate(START)
    reachable, reached = shown.evaluate(REACHABLE), []
    for _ in range(MAX_TABS):
        shown.keyboard.press("Tab")
        focused = shown.evaluate(FOCUSED)
        if focused is None or (reached and focused["number"] == reached[0]):
            break
        assert focused["visible"], focused["what"]
        reached.append(focused["number"])
    assert reached == sorted(reached), "the order of the document"
    assert set(reachable) <= set(reached), "all of these, and what scrolls"


def test_a_page_has_a_title_a_heading_and_a_way_past_its_menu(shown, site):
    assert shown.locator("body > :first-child").get_attribute("href") == "#content"
    assert shown.locator("h1").count() == 1
    assert shown.title().endswith(site.registry.host)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("theme", Theme)
def test_axe_finds_no_violation(shown, size, theme):
    shown.set_viewport_size(size)
    shown.emulate_media(color_scheme=theme.value)
    found = violations(shown)
    shown.set_viewport_size(DESK)
    shown.emulate_media(color_scheme=Theme.LIGHT.value)
    assert found == []


@pytest.mark.parametrize("size", [TABLET, PHONE], ids=["tablet", "phone"])
def test_nothing_is_wider_than_the_window(shown, size):
    shown.set_viewport_size(size)
    shown.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    width = shown.evaluate("document.documentElement.scrollWidth")
    shown.evaluate("document.querySelectorAll('details').forEach(each => { each.open = false })")
    shown.set_viewport_size(DESK)
    assert width <= size["width"]


def test_a_page_reads_the_same_without_scripts(browser, site, address, shown):
    with browser.visit(site.registry, address.visitor, script=False, **DESK) as visit:
        plain = visit.go(address.path(site), status=address.status).locator("main").inner_text().split()
    missing = set(shown.evaluate(WORDS).split()) - set(plain)
    assert not {word for word in missing if LETTERS.fullmatch(word)}
