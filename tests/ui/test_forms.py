"""Where a form may lead; `tests/ui/pages/test_sign_in.py` asks what is refused."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.http.messages import NO_BODY, Request
from simple_registry.ui.forms import form_token, local_path, path_of


@pytest.mark.parametrize("path", ["/", "/?q=a&below=b%2F", "/ui/-/tokens", "/ui/a/b/-/manifests/sha256:00?x=/y//z?"])
def test_paths_of_pages_are_kept(path):
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path", [None, "", "//x", "/ui//x", "/v2/", "/uix", "https://x", "/ui/\\x", "/\tui", "/ui/a\n", "/ui/a b", "/?a\n"]
)
def test_other_places_are_not(path):
    assert local_path(path) == "/"


@given(st.text() | st.from_regex(r"/[/\\a-z:.?]{0,9}"))
def test_whatever_is_asked_for_a_browser_stays_here(text):
    path = local_path(text)
    assert path == "/" or path[:2] in {"/?", "/u"}
    assert not path.startswith("//")
    assert path.isascii()
    assert path.isprintable()


def test_each_session_has_a_token_of_its_own_that_does_not_reveal_it():
    assert form_token("a") != form_token("b")
    assert "session" not in form_token("session")


def test_the_path_of_a_request_is_written_as_a_link():
    assert path_of(Request("GET", "/ui/é", "q=1", {}, NO_BODY, "1")) == "/ui/%C3%A9?q=1"
