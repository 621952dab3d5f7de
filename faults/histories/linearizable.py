"""Whether a recorded history of one register is possible one operation at a time (linearizability).

    called ──────┬────── answered       each operation happens at one moment between its call and its answer;
                 ▼                      without an answer, at any later moment or never
        one moment of its own

The search follows Wing and Gong, just in time as by Lowe: it walks along calls and answers in the order of their times
and keeps every *configuration* that is possible so far: the register's value, and which operations under way have
already happened. An operation is applied only when an answer requires it, so the set is limited by the number of
operations under way, however long the history. Three shortcuts do not change the verdict:

- an observation happens as soon as the value permits it;
- no configuration is examined twice;
- of two configurations that differ only in operations without an answer, the one with fewer of them applied can do
  everything that the other can.

Registers are independent, so a history of many is checked key by key (locality, Herlihy and Wing).
"""

import heapq
import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

NEVER = math.inf
"""When an operation was answered whose answer never came."""

MOST = 100_000
"""Configurations beyond which a history is given up as undecided."""

SHOWN = 3
"""Most values, and most operations, that a violation shows."""

Value = Hashable | None
"""What a register holds; `None` when it holds nothing."""


class Act(Enum):
    """What an operation did, according to its answer."""

    WRITE = "write"
    """It holds the value afterwards."""
    DELETE = "delete"
    """It held something, and nothing afterwards."""
    ERASE = "erase"
    """It holds nothing afterwards, whatever it held: a deletion whose answer never came."""
    CLEAR = "clear"
    """It holds nothing afterwards if it held the value, else what it held."""
    READ = "read"
    """It holds the value."""
    PRESENT = "present"
    """It holds something."""
    DIFFERS = "differs"
    """It does not hold the value."""


OBSERVERS = frozenset({Act.READ, Act.PRESENT, Act.DIFFERS})


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on one register. Times are of one clock that all clients share."""

    act: Act
    value: Value
    called: float
    answered: float

    def __str__(self) -> str:
        until = "…" if self.answered == NEVER else f"{self.answered:.6f}"
        return f"{self.act.value} {self.value} [{self.called:.6f} to {until}]"


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a history cannot be: `operation` was answered although no order explains it."""

    operation: Operation
    values: Sequence[Value]
    """What the register may have held by then."""
    around: Sequence[Operation]
    """What was under way meanwhile, in order of their calls."""

    def __str__(self) -> str:
        held = _some(", ", sorted(map(str, self.values)))
        meanwhile = _some("; ", list(map(str, self.around))) or "nothing"
        return f"{self.operation} cannot be when it held {held}; meanwhile: {meanwhile}"


def _some(separator: str, texts: Sequence[str]) -> str:
    """Join the first few, so that one line stays readable."""
    return separator.join([*texts[:SHOWN], "…"] if len(texts) > SHOWN else texts)


class Undecided(Exception):
    """A history has more possible configurations than we are ready to look at."""


IMPOSSIBLE = object()


def after(act: Act, operand: Value, held: Value) -> object:
    """Return what the register holds after `act` with `operand` where it held `held`, or `IMPOSSIBLE`."""
    match act:
        case Act.WRITE:
            return operand
        case Act.READ:
            return held if held == operand else IMPOSSIBLE
        case Act.DELETE:
            return IMPOSSIBLE if held is None else None
        case Act.CLEAR:
            return None if held == operand else held
        case Act.PRESENT:
            return IMPOSSIBLE if held is None else held
        case Act.DIFFERS:
            return IMPOSSIBLE if held == operand else held
        case Act.ERASE:
            return None


def check(history: Iterable[Operation], initial: Value = None, *, most: int = MOST) -> Violation | None:
    """Return why the history of one register is not linearizable, or `None` when it is.

    Raises: Undecided after `most` configurations at once.
    """
    search = _Search(initial, most)
    for called, operation in _events(history):
        if called:
            search.call(operation)
        elif not search.answer(operation):
            return search.violation(operation)
    return None


def _events(history: Iterable[Operation]) -> Iterator[tuple[bool, Operation]]:
    """Yield calls and answers in order of time; at equal times calls come first, which allows more."""
    calls = sorted(history, key=lambda operation: operation.called)
    waiting: list[tuple[float, int, Operation]] = []
    for number, operation in enumerate(calls):
        while waiting and waiting[0][0] < operation.called:
            yield False, heapq.heappop(waiting)[2]
        yield True, operation
        heapq.heappush(waiting, (operation.answered, number, operation))
    while waiting and waiting[0][0] != NEVER:
        yield False, heapq.heappop(waiting)[2]


class _Search:
    """The configurations that are possible at one moment of a history.

    A configuration is the register's value and a set of bits: those operations under way that have happened. Every
    operation under way has a bit of its own, which is free again after its answer.
    """

    def __init__(self, initial: Value, most: int) -> None:
        self._most = most
        self._configurations: set[tuple[Value, int]] = {(initial, 0)}
        self._observers: dict[int, Operation] = {}
        self._changes: dict[int, Operation] = {}
        self._bits: dict[int, int] = {}
        self._lost = 0
        """The bits of changes that will never be answered."""

    def call(self, operation: Operation) -> None:
        """Take up an operation: from now on it may happen."""
        used = 0
        for bit in self._bits.values():
            used |= bit
        bit = ~used & (used + 1)
        self._bits[id(operation)] = bit
        if operation.act in OBSERVERS:
            self._observers[bit] = operation
            self._configurations = {self._observed(*each) for each in self._configurations}
        else:
            self._changes[bit] = operation
            if operation.answered == NEVER:
                self._lost |= bit

    def answer(self, operation: Operation) -> bool:
        """Keep the configurations in which the operation has happened; return whether any remains."""
        bit = self._bits[id(operation)]
        happened: set[tuple[Value, int]] = set()
        seen = set(self._configurations)
        unseen = list(seen)
        while unseen:
            held, bits = unseen.pop()
            if bits & bit:
                happened.add((held, bits & ~bit))
                continue
            for following in self._following(held, bits):
                if following not in seen:
                    seen.add(following)
                    unseen.append(following)
            if len(seen) > self._most:
                raise Undecided(f"more than {self._most} configurations")
        if not happened:
            return False
        self._configurations = self._fewest(happened) if self._lost else happened
        self._observers.pop(bit, None)
        self._changes.pop(bit, None)
        del self._bits[id(operation)]
        return True

    def violation(self, operation: Operation) -> Violation:
        """Say what could not be explained."""
        under_way = [*self._changes.values(), *self._observers.values()]
        around = sorted((each for each in under_way if each is not operation), key=lambda each: each.called)
        return Violation(operation, tuple({held for held, _bits in self._configurations}), around)

    def _following(self, held: Value, bits: int) -> Iterator[tuple[Value, int]]:
        """Yield the configurations after one more change."""
        for bit, change in self._changes.items():
            if not bits & bit:
                then = after(change.act, change.value, held)
                if then is not IMPOSSIBLE:
                    yield self._observed(then, bits | bit)

    def _observed(self, held: Value, bits: int) -> tuple[Value, int]:
        """Let every observation happen that this value allows."""
        for bit, observer in self._observers.items():
            if not bits & bit and after(observer.act, observer.value, held) is not IMPOSSIBLE:
                bits |= bit
        return held, bits

    def _fewest(self, configurations: set[tuple[Value, int]]) -> set[tuple[Value, int]]:
        """Drop those that another one covers because fewer of the lost changes happened in it."""
        lost = self._lost
        kept: dict[tuple[Value, int], list[int]] = {}
        for held, bits in sorted(configurations, key=lambda each: (each[1] & lost).bit_count()):
            fewest = kept.setdefault((held, bits & ~lost), [])
            if not any(few & bits == few for few in fewest):
                fewest.append(bits & lost)
        return {(held, bits | few) for (held, bits), fewest in kept.items() for few in fewest}
