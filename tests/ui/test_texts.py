"""Every word of the pages is in one table, and every entry of it is used."""

import re

import pytest
from markupsafe import Markup

from simple_registry.ui.navigation import ENTRIES
from simple_registry.ui.texts import COUNTED, TEXTS, amount, text
from support.sources import SOURCE

TEMPLATES = {
    path.relative_to(SOURCE / "ui/templates").as_posix(): path for path in (SOURCE / "ui/templates").rglob("*.html")
}
MARKUP = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<!doctype html>", re.DOTALL)


def source(name):
    return TEMPLATES[name].read_text("utf-8")


ALL = "\n".join(source(name) for name in TEMPLATES) + "\n".join(
    path.read_text("utf-8") for path in (SOURCE / "ui").rglob("*.py") if not path.name.endswith("texts.py")
)
NAMED = set(re.findall(r"""["']([a-z_]+(?:\.[a-z0-9_]+)+)["']""", ALL))
BEGUN = set(re.findall(r"""["']([a-z_.]+\.)["'] ~""", ALL))
"""The beginnings of keys that templates make."""


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_no_words_of_its_own(name):
    bare = MARKUP.sub("", source(name))
    shown = re.sub(r"<[^>]*>", "", bare)
    assert re.findall(r"[A-Za-z]{2,}", shown) == []
    said = re.findall(r"""(?:aria-label|title|placeholder|alt)="([^"]*)\"""", bare)
    assert [each for each in said if re.search("[A-Za-z]", each)] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_no_style_and_no_script_of_its_own(name):
    assert re.findall(r"<style|style=|\son[a-z]+=|<script(?! src=)|\|\s*safe|javascript:", source(name)) == []


def test_every_text_is_used_and_every_key_exists():
    keys = TEXTS.keys() | COUNTED.keys()
    assert set(re.findall(r"""\b(?:t|amount)\(['"]([a-z0-9_.]+)['"]""", ALL)) <= keys | BEGUN
    used = NAMED | {entry.key for entry in ENTRIES}
    assert [key for key in sorted(keys) if key not in used and not any(map(key.startswith, BEGUN))] == []


def test_values_are_escaped_and_markup_is_not():
    assert text("repositories.none", q="<b>") == "No repository matches “&lt;b&gt;”."
    assert text("user.menu", user=Markup("<b>ada</b>")) == "Signed in as <b>ada</b>"


def test_a_count_has_two_forms():
    assert amount("count.tags", 1) == "1 tag"
    assert amount("count.tags", 12_000) == "12,000 tags"


def test_an_unknown_key_is_an_error():
    with pytest.raises(KeyError):
        text("no.such")
