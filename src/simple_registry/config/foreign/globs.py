"""The globs of zot's `repositories`, as expressions. zot matches them with doublestar v4.

    *       any part of a component            ?        one character of a component
    **      as a component: any number of them; otherwise as `*`
    [abc]   one of these characters            {a,b}    either text

In some corners, what doublestar matches follows from how its loop runs, and not from its documentation. A pattern of
such a corner is refused, since a wrong guess would give a permission away.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from simple_registry.config.foreign.languages import (
    ALPHABET,
    ANY,
    EMPTY,
    EVERYTHING,
    SEPARATOR,
    Expression,
    characters,
    difference,
    either,
    is_nullable,
    optional,
    repeated,
    sequence,
)
from simple_registry.config.values import ConfigError

_ANY_DEPTH = "**"
_IN_COMPONENT = characters(ALPHABET - {SEPARATOR})
_STAR = repeated(_IN_COMPONENT)
_SLASH = characters(SEPARATOR)

_BRACES = re.compile(r"(?<!\*)\{([^{}*\[\]\\]*)\}(?!\*)")
_TOKEN = re.compile(
    r"(?P<star>\*{1,2}(?!\*))|(?P<one>\?)|\[(?P<class>[^]^!\\][^]\\]*)\]|\\(?P<escaped>.)|(?P<plain>[^*?\[{}\\])",
    re.DOTALL,
)
_OF_CLASS = re.compile(r"(.)(?:-(.))?", re.DOTALL)


def parse_glob(text: str) -> Expression:
    """Return the expression of the repositories that a glob matches.

    Raises: ConfigError for a glob that is invalid, or whose meaning in zot is not clear.
    """
    found = either(*(_components(plain.split(SEPARATOR), text) for plain in _expanded(text)))
    return difference(found, [EMPTY]) if is_nullable(found) else found  # a name is not empty


def _expanded(text: str) -> Iterator[str]:
    """Yield a glob once for each alternative of its braces, which doublestar tries as texts, too."""
    match = _BRACES.search(text)
    if match is None:
        yield text
        return
    for alternative in match[1].split(","):
        yield from _expanded(text[: match.start()] + alternative + text[match.end() :])


def _components(components: Sequence[str], glob: str) -> Expression:
    if list(components) == [_ANY_DEPTH]:
        return EVERYTHING
    *before, last = components
    if "" in components or (_ANY_DEPTH, _ANY_DEPTH) in pairwise(components):
        raise _unclear(glob)
    beginning = sequence(*(_directory(component, glob) for component in before[: -1 if last == _ANY_DEPTH else None]))
    if last != _ANY_DEPTH:
        return sequence(beginning, _component(last, glob))
    below = sequence(_SLASH, repeated(ANY))
    component = before[-1]
    if component.endswith("*"):
        # At the end of a name, doublestar has not come to this star yet unless the star matched something: `team*/**`
        # matches team-a and team/app, but not team.
        stem = component.rstrip("*")
        some = sequence(_IN_COMPONENT, _STAR)
        return sequence(beginning, _component(stem, glob), either(some, sequence(_STAR, below)))
    return sequence(beginning, _component(component, glob), optional(below))


def _directory(component: str, glob: str) -> Expression:
    if component == _ANY_DEPTH:
        return optional(sequence(repeated(ANY), _SLASH))
    return sequence(_component(component, glob), _SLASH)


def _component(component: str, glob: str) -> Expression:
    parts: list[Expression] = []
    position = 0
    while position < len(component):
        match = _TOKEN.match(component, position)
        if match is None:
            raise _unclear(glob)
        parts.append(_token(match, glob))
        position = match.end()
    return sequence(*parts)


def _token(match: re.Match[str], glob: str) -> Expression:
    if match["star"]:
        return _STAR
    if match["one"]:
        return _IN_COMPONENT
    if match["class"]:
        ranges = [range(ord(first), ord(last or first) + 1) for first, last in _OF_CLASS.findall(match["class"])]
        if any(ord(SEPARATOR) in each for each in ranges):
            raise _unclear(glob)
        return characters(chr(code) for each in ranges for code in each)
    return characters(match["escaped"] or match["plain"])


def _unclear(glob: str) -> ConfigError:
    return ConfigError(
        f"the pattern {glob!r} cannot be translated exactly; write it with names, *, ** as a whole component, ?, "
        "[abc] and {a,b} of plain texts"
    )
