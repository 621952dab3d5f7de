"""Hostile content shows as text: in each field that a client chooses, and in each that an address has."""

import json
from urllib.parse import quote

import pytest

from browser.hostile import FIELDS, MEDIA_TYPES, attack
from browser.pages import HOSTILE
from browser.site import ADMIN

pytestmark = pytest.mark.browser

BEGINNING = 16
"""Characters of an attack after the field's name that a page shows at least, with a quote and a bracket."""
INJECTED = "main :is(img, script, svg, textarea, [onerror], [onload], [onmouseover], a[href^='javascript:'])"
TEXTS = """() => {
  document.querySelectorAll("details").forEach(each => { each.open = true });
  return [document.body.innerText, ...[...document.querySelectorAll("[title]")].map(each => each.title)].join("\\n");
}"""


@pytest.fixture(scope="module")
def texts(browser, site):
    """All that the pages of the hostile repository say; none of them has an element from it."""
    found = []
    for address in HOSTILE:
        with browser.visit(site.registry, ADMIN) as visit:
            page = visit.go(address.path(site))
            found.append(page.evaluate(TEXTS))
            assert page.locator(INJECTED).count() == 0, address
    return "\n".join(found)


@pytest.mark.parametrize("field", [*FIELDS, "user-name", "token-description"])
def test_the_text_of_a_field_is_shown_as_it_is(texts, field):
    spellings = (attack(field), json.dumps(attack(field))[1:-1])
    assert any(text[: len(field) + BEGINNING] in texts for text in spellings)


@pytest.mark.parametrize("field", MEDIA_TYPES)
def test_a_media_type_is_shown_as_it_is(texts, field):
    assert field in texts


def test_a_link_of_an_annotation_is_text(browser, site):
    with browser.visit(site.registry, ADMIN) as visit:
        page = visit.go(f"/ui/{site.hostile.repository}/-/manifests/{site.hostile.image}")
        links = page.locator("main a").evaluate_all("all => all.map(each => each.href)")
        assert links
        assert {link for link in links if not link.startswith(f"{visit.origin}/")} == set()


def test_characters_that_turn_the_direction_are_spelled_out(texts):
    assert "\u202e" not in texts
    assert "\\u202e" in texts


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/?q={}", 200),
        ("/?below={}", 200),
        ("/ui/-/sign-in?to={}", 200),
        ("/ui/{}", 404),
        ("/ui/shop/web/-/tags?q={}", 200),
        ("/ui/shop/web/-/history?tag={}", 400),
        ("/ui/shop/web/-/compare?from={0}&to={0}", 400),
        ("/ui/shop/web/-/manifests/{}", 404),
    ],
)
def test_the_text_of_an_address_is_shown_as_it_is(browser, site, path, status):
    with browser.visit(site.registry) as visit:
        visit.sign_in(ADMIN, site.registry.password)
        visit.page.wait_for_url(f"{visit.origin}/")
        response = visit.page.goto(visit.origin + path.format(quote(attack("address"), safe="")))
        assert response.status == status
        assert visit.page.locator(INJECTED).count() == 0
