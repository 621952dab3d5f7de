"""Sets of repository names as regular expressions, which can be subtracted from each other.

    difference(all, [some])  ──derivatives──►  automaton  ──elimination of states──►  expression  ──►  RE2

RE2 cannot say "but not": the pattern of a difference has to be computed. An expression is one of four values; the
functions that make them (`sequence`, `either`, `repeated`) simplify, so that an expression has finitely many
derivatives (Brzozowski, Derivatives of Regular Expressions, 1964).
"""

import string
from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Union

from simple_registry.config.values import ConfigError

SEPARATOR = "/"
ALPHABET = frozenset(string.ascii_lowercase + string.digits + "._-" + SEPARATOR)
"""The characters of repository names."""

MAX_STATES = 5000


@dataclass(frozen=True, slots=True)
class OneOf:
    """One character of a set."""

    characters: frozenset[str]


@dataclass(frozen=True, slots=True)
class Parts:
    """One expression after the other; without any, the empty text."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Any of some expressions; without any, no text at all."""

    options: frozenset["Expression"]


@dataclass(frozen=True, slots=True)
class Repeated:
    """An expression, any number of times."""

    inner: "Expression"


Expression = Union[OneOf, Parts, Either, Repeated]  # noqa: UP007 (the names above are forward references)

NOTHING = Either(frozenset())
EMPTY = Parts(())


def characters(which: Iterable[str]) -> Expression:
    """Return the expression of one character of a set; those that no repository name has are left out."""
    known = frozenset(which) & ALPHABET
    return OneOf(known) if known else NOTHING


def sequence(*parts: Expression) -> Expression:
    """Return the expression of one after the other."""
    flat = [each for part in parts for each in (part.parts if isinstance(part, Parts) else (part,))]
    if NOTHING in flat:
        return NOTHING
    return flat[0] if len(flat) == 1 else Parts(tuple(flat))


def either(*options: Expression) -> Expression:
    """Return the expression of any of these."""
    flat = {each for option in options for each in (option.options if isinstance(option, Either) else (option,))}
    single = [each for each in flat if isinstance(each, OneOf)]
    if len(single) > 1:
        flat = flat.difference(single) | {OneOf(frozenset().union(*(each.characters for each in single)))}
    return flat.pop() if len(flat) == 1 else Either(frozenset(flat))


def repeated(inner: Expression) -> Expression:
    """Return the expression of any number of these."""
    if isinstance(inner, Either):
        inner = either(*(inner.options - {EMPTY}))
    if inner in {NOTHING, EMPTY}:
        return EMPTY
    return inner if isinstance(inner, Repeated) else Repeated(inner)


def optional(inner: Expression) -> Expression:
    """Return the expression of one of these, or none."""
    return either(inner, EMPTY)


ANY = OneOf(ALPHABET)
EVERYTHING = sequence(ANY, repeated(ANY))


def is_nullable(expression: Expression) -> bool:
    """Return whether an expression matches the empty text."""
    match expression:
        case OneOf():
            return False
        case Parts(parts):
            return all(map(is_nullable, parts))
        case Either(options):
            return any(map(is_nullable, options))
        case Repeated():
            return True


def derivative(expression: Expression, character: str) -> Expression:
    """Return what may follow a first character."""
    match expression:
        case OneOf(which):
            return EMPTY if character in which else NOTHING
        case Either(options):
            return either(*(derivative(option, character) for option in options))
        case Repeated(inner):
            return sequence(derivative(inner, character), expression)
        case Parts(()):
            return NOTHING
        case Parts(parts):
            rest = Parts(parts[1:])
            beginning = sequence(derivative(parts[0], character), rest)
            return either(beginning, derivative(rest, character)) if is_nullable(parts[0]) else beginning


def overlap(one: Expression, other: Expression) -> bool:
    """Return whether some name is in both."""
    return any(is_nullable(first) and is_nullable(second) for first, second in _explored(one, other))


def difference(expression: Expression, others: Sequence[Expression]) -> Expression:
    """Return an expression of what matches `expression` and none of `others`; `NOTHING` if there is no such text.

    Raises: ConfigError when it would be too large.
    """
    return _difference(expression, either(*others)) if others else expression


@lru_cache
def _difference(expression: Expression, other: Expression) -> Expression:
    edges = _explored(expression, other)
    accepting = {state for state in edges if is_nullable(state[0]) and not is_nullable(state[1])}
    return _Elimination(*_minimal(edges, accepting)).expression()


State = tuple[Expression, Expression]
Edges = Mapping[State, Mapping[State, Expression]]


def _explored(one: Expression, other: Expression) -> Edges:
    """Return the states that are reached from both expressions while the first can match, and how."""
    alike = _alike((one, other))
    found: dict[State, dict[State, Expression]] = {}
    waiting = [(one, other)]
    while waiting:
        state = waiting.pop()
        if state in found:
            continue
        if len(found) == MAX_STATES:
            raise ConfigError("these patterns overlap in too many ways to be translated")
        found[state] = {}
        for which in alike:
            following = derivative(state[0], min(which)), derivative(state[1], min(which))
            if following[0] != NOTHING:
                found[state][following] = either(found[state].get(following, NOTHING), OneOf(which))
                waiting.append(following)
    return found


def _alike(expressions: Iterable[Expression]) -> list[frozenset[str]]:
    """Return the alphabet in parts whose characters no expression distinguishes."""
    sets = [*set().union(*map(_sets, expressions))]
    parts: dict[tuple[bool, ...], set[str]] = {}
    for character in sorted(ALPHABET):
        parts.setdefault(tuple(character in each for each in sets), set()).add(character)
    return [frozenset(part) for part in parts.values()]


def _sets(expression: Expression) -> set[frozenset[str]]:
    match expression:
        case OneOf(which):
            return {which}
        case Parts(inner) | Either(inner):
            return set().union(*map(_sets, inner))
        case Repeated(only):
            return _sets(only)


def _minimal(edges: Edges, accepting: AbstractSet[State]) -> tuple[dict[int, dict[int, Expression]], set[int]]:
    """Return the automaton with equal states made one, by number, and its accepting states; it starts at 0."""
    group = {state: int(state in accepting) for state in edges}
    while True:
        # A state differs from another one by its own group, or by the groups that its characters lead to.
        sides = {state: (group[state], frozenset(_grouped(edges[state], group).items())) for state in edges}
        numbers: dict[object, int] = {}
        refined = {state: numbers.setdefault(side, len(numbers)) for state, side in sides.items()}
        if len(numbers) == len(set(group.values())):
            break
        group = refined
    return {refined[state]: _grouped(edges[state], refined) for state in edges}, {refined[each] for each in accepting}


def _grouped(following: Mapping[State, Expression], group: Mapping[State, int]) -> dict[int, Expression]:
    found: dict[int, Expression] = {}
    for state, which in following.items():
        found[group[state]] = either(found.get(group[state], NOTHING), which)
    return found


class _Elimination:
    """An automaton that loses one state after the other; what led through it becomes an expression between the rest."""

    _BEGIN, _END = -1, -2

    def __init__(self, edges: Mapping[int, Mapping[int, Expression]], accepting: Iterable[int]) -> None:
        self._edges = {state: dict(following) for state, following in edges.items()}
        self._edges[self._BEGIN] = {0: EMPTY}
        self._edges[self._END] = {}
        for state in accepting:
            self._edges[state][self._END] = EMPTY
        self._before: dict[int, set[int]] = {state: set() for state in self._edges}
        for state, following in self._edges.items():
            for target in following:
                self._before[target].add(state)

    def expression(self) -> Expression:
        """Return the expression of all that the automaton accepts."""
        inner = {state for state in self._edges if state >= 0}
        while inner:
            state = min(inner, key=self._cost)
            inner.remove(state)
            self._eliminate(state)
        return self._edges[self._BEGIN].get(self._END, NOTHING)

    def _cost(self, state: int) -> tuple[int, int]:
        return len(self._before[state]) * len(self._edges[state]), state

    def _eliminate(self, state: int) -> None:
        after = self._edges.pop(state)
        loop = repeated(after.pop(state, NOTHING))
        before = self._before.pop(state) - {state}
        for source in before:
            following = self._edges[source]
            beginning = sequence(following.pop(state), loop)
            for target, which in after.items():
                following[target] = either(following.get(target, NOTHING), sequence(beginning, which))
        for target in after:
            self._before[target] = self._before[target] - {state} | before


def pattern(expression: Expression) -> str:
    """Return the scope pattern of the repositories that an expression describes, with all their tags.

    There is no pattern of `NOTHING`.
    """
    if expression == EVERYTHING:
        return "^.+$"
    return f"^{_part(expression)}(:.+)?$"


def _part(expression: Expression) -> str:
    """Return the text of an expression inside a sequence."""
    return _written(expression) if isinstance(expression, Parts) else _atom(expression)


def _written(expression: Expression) -> str:
    match expression:
        case OneOf(which):
            return _class(which)
        case Repeated(inner):
            return f"{_atom(inner)}*"
        case Either(options):
            return "|".join(sorted(map(_written, options)))
        case Parts(parts):
            return "".join(_parts(parts))


def _atom(expression: Expression) -> str:
    """Return the text of an expression to which a `*` can be appended."""
    match expression:
        case OneOf() | Repeated():
            return _written(expression)
        case Either(options) if EMPTY in options:
            return f"({_written(Either(options - {EMPTY}))})?"
        case _:
            return f"({_written(expression)})"


def _parts(parts: Sequence[Expression]) -> Iterable[str]:
    number = 0
    while number < len(parts):
        following = parts[number + 1] if number + 1 < len(parts) else None
        if following == Repeated(parts[number]):  # one, and any number more
            yield f"{_atom(parts[number])}+"
            number += 1
        else:
            yield _part(parts[number])
        number += 1


def _class(which: frozenset[str]) -> str:
    """Return the text of a class. None of them has the colon, which begins the tag."""
    if len(which) == 1:
        return min(which).replace(".", "\\.")  # of the alphabet, only the dot has a meaning
    without = ALPHABET - which
    if len(without) < len(which):
        return f"[^{_ranges(without)}:]"
    return f"[{_ranges(which)}]"


def _ranges(which: frozenset[str]) -> str:
    runs: list[str] = []
    for character in sorted(which - {"-"}):
        if runs and character.isalnum() and ord(character) == ord(runs[-1][-1]) + 1:
            runs[-1] += character
        else:
            runs.append(character)
    short = 3
    hyphen = "\\-" if "-" in which else ""
    return "".join(run if len(run) < short else f"{run[0]}-{run[-1]}" for run in runs) + hyphen
