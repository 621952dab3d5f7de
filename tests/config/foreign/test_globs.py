"""zot's globs: each matches what doublestar v4.10.0 matched, which zot uses.

`doublestar.json` has the names and, for each glob, the numbers of those that `doublestar.Match` matched.
"""

import json
from pathlib import Path

import pytest

from simple_registry.access.scopes import ScopePattern
from simple_registry.config.foreign.globs import parse_glob
from simple_registry.config.foreign.languages import NOTHING, pattern
from simple_registry.config.values import ConfigError

RECORDED = json.loads(Path(__file__).with_name("doublestar.json").read_text())


@pytest.mark.parametrize("glob", RECORDED["matched"])
def test_a_glob_matches_what_doublestar_matches(glob):
    scope = ScopePattern(pattern(parse_glob(glob)))
    found = [number for number, name in enumerate(RECORDED["names"]) if scope.matches(name)]
    assert found == RECORDED["matched"][glob]


@pytest.mark.parametrize("glob", RECORDED["matched"])
def test_tags_belong_to_their_repository_and_nothing_to_the_registry(glob):
    scope = ScopePattern(pattern(parse_glob(glob)))
    assert [scope.matches(f"{name}:v1") for name in RECORDED["names"]] == [
        scope.matches(name) for name in RECORDED["names"]
    ]
    assert not scope.matches("")


@pytest.mark.parametrize(
    ("glob", "text"),
    [
        ("**", "^.+$"),
        ("team/app", "^team/app(:.+)?$"),
        ("team/*", "^team/[^/:]*(:.+)?$"),
        ("team/**", "^team(/[^:]*)?(:.+)?$"),
        ("a.b", r"^a\.b(:.+)?$"),
        ("[a-c]-?", "^[a-c]-[^/:](:.+)?$"),
    ],
)
def test_common_globs_become_patterns_that_people_would_write(glob, text):
    assert pattern(parse_glob(glob)) == text


@pytest.mark.parametrize(
    "glob",
    [
        *("***", "a***", "**/**", "a/", "/a", "a//b", "a/**/", "[^a]", "[!a]", "[a", "[]a]", "[.-9]", "[a\\-c]"),
        *("{a", "a}", "{a,*}", "*{a,b}", "{a,b}*", "{,a}**", "a/{**,b}", "a\\", "a\\/**", ""),
    ],
)
def test_a_glob_whose_meaning_is_not_clear_is_refused(glob):
    with pytest.raises(ConfigError, match="cannot be translated exactly"):
        parse_glob(glob)


def test_what_no_repository_can_be_called_matches_nothing():
    assert parse_glob("Team/*") == NOTHING
