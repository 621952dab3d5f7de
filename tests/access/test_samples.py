import pytest
from hypothesis import given, strategies as st

from simple_registry.access.samples import MAX_SAMPLES, sample_scopes, samples
from simple_registry.access.scopes import PatternInvalid, ScopePattern


@pytest.mark.parametrize(
    ("pattern", "scopes"),
    [
        ("^team/app$", {"team/app"}),
        ("^team/app(:v.+)?$", {"team/app", "team/app:vexample"}),
        ("^team/[^/]+$", {"team/example"}),
        ("^a?b*$", {"a", "ab", "b"}),
        ("^library/.*$", {"library/example"}),
        ("^.+$", {"example"}),
        ("^(?:a|b)/(c|d):latest$", {"a/c:latest", "a/d:latest", "b/c:latest", "b/d:latest"}),
        (r"^app\.v[0-9]{2,3}$", {"app.v11"}),
        (r"^ci/\d+$", {"ci/1"}),
        ("app", {"app"}),
        ("^$", set()),
        ("", set()),
        ("^Upper$", set()),
        (r"^\Qapp\E$", set()),
        ("^" + "(" * 900 + "a" + ")" * 900 + "$", set()),
        ("^(x{30}){30}$", set()),
    ],
)
def test_a_pattern_gives_scopes_that_it_matches(pattern, scopes):
    try:
        compiled = ScopePattern(pattern)
    except PatternInvalid:
        pytest.skip("no pattern at all")
    assert set(sample_scopes(compiled)) == scopes


@given(st.text(alphabet="ab/:.^$()[]{}|?*+\\dpL-,1Q", max_size=30))
def test_any_pattern_gives_few_scopes_that_it_matches_or_none(text):
    try:
        pattern = ScopePattern(text)
    except PatternInvalid:
        return
    scopes = sample_scopes(pattern)
    assert len(scopes) <= MAX_SAMPLES
    assert all(pattern.matches(scope) for scope in scopes)


def test_examples_include_the_catalog_but_not_as_a_scope_of_a_repository():
    assert list(samples(ScopePattern("^(library/.*)?$"))) == ["", "library/", "library/example"]
    assert list(sample_scopes(ScopePattern("^(library/.*)?$"))) == ["library/example"]
