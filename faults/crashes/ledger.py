"""What clients requested and what was acknowledged, and so which states are possible.

    ledger.begin(Effect(key, state), …)  →  Operation  →  acknowledge() | fail() | refuse()
    ledger.allowed(key)                  →  the possible states of the key

A key is a blob or manifest in a repository (its state: `PRESENT` or `None`), a tag (a digest or `None`), or an upload
session (bytes received, or `None` when it has ended). A state is allowed if its operation was not followed by an
acknowledged one: the last acknowledged state, every later one without an answer, and each of several operations that
overlapped. Time is a counter, independent of clocks, but for one thing: a blob that no manifest needs may be gone some
time after it was last named.
"""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from faults.crashes.contents import Content, Document

PRESENT = "present"
State = str | int | None


class Kind(StrEnum):
    BLOB = "blob"
    MANIFEST = "manifest"
    TAG = "tag"
    SESSION = "session"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Something of a repository: `name` is a digest, a tag, or the path of a session."""

    kind: Kind
    repository: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.repository} {self.name}"


@dataclass(frozen=True, slots=True)
class Effect:
    """What an operation makes of a key; with `only_from`, only if it had that state: a tag of a manifest deleted."""

    key: Key
    state: State
    only_from: State = None


@dataclass(frozen=True, slots=True)
class Write:
    """An effect in time. `ended` is `None` while it may still happen."""

    state: State
    begun: int
    ended: int | None = None
    acknowledged: bool = False
    only_from: State = None

    def before(self, other: "Write") -> bool:
        """Return whether it ended before the other began."""
        return self.ended is not None and self.ended < other.begun

    def undone_by(self, other: "Write") -> bool:
        """Return whether the other one leaves no trace of it."""
        return other.acknowledged and self.before(other) and other.only_from in (None, self.state)


def allowed(writes: Sequence[Write]) -> frozenset[State]:
    """Return the states that a key may have after these."""
    return frozenset(
        write.state
        for write in writes
        if _possible(write, writes) and not any(write.undone_by(other) for other in writes)
    )


def _possible(write: Write, writes: Sequence[Write]) -> bool:
    """Return whether a write was possible: a conditional one only if the key could have that state at its time."""
    if write.only_from is None:
        return True
    earlier = [each for each in writes if each.state == write.only_from and not write.before(each)]
    return any(not any(one.undone_by(other) and other.before(write) for other in writes) for one in earlier)


@dataclass(slots=True)
class Upload:
    """What an open session is to become, and where its client goes on."""

    content: Content
    location: str

    def may_stand_at(self, state: State, states: frozenset[State]) -> bool:
        """Return whether a key with the allowed `states` can have this state.

        A request that was cut may have left any part of its bytes; what was acknowledged before it stays.
        """
        if state in states or not isinstance(state, int) or len(states) == 1:
            return state in states
        known = [each for each in states if isinstance(each, int)]
        return bool(known) and min(known) <= state <= self.content.size


class Operation:
    """One operation under way."""

    def __init__(self, ledger: "Ledger", begun: int, effects: Sequence[Effect], at: float) -> None:
        self.effects = effects
        self.begun = begun
        self.at = at
        """When it began, by the clock."""
        self._ledger = ledger

    def acknowledge(self) -> None:
        """The registry said that it is done."""
        self._ledger.end(self, acknowledged=True)

    def fail(self) -> None:
        """It was cut off, or answered with a failure, and is over: it may have happened."""
        self._ledger.end(self, acknowledged=False)

    def refuse(self) -> None:
        """It did not happen."""
        self._ledger.drop(self)


class Ledger:
    """Everything begun, by key. Thread-safe. An operation without an end can happen until `restarted`."""

    def __init__(self, *, grace: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        """`grace` is the number of seconds after which a registry may end a blob that no manifest needs."""
        self.on_acknowledge: Callable[[], None] = lambda: None
        """Called by the client's thread at once after each acknowledgement."""
        self.power = True
        """After a power cut no answer counts: until `restarted`, nothing is acknowledged.

        (A kernel that shuts a file system down can report success for an fsync whose transaction it drops.)
        """
        self.begun = 0
        self.acknowledged = 0
        self.documents: dict[str, Document] = {}
        """Every manifest that a client tried to push."""
        self.uploads: dict[Key, Upload] = {}
        """Every upload session that a client left open."""
        self.seen: dict[Key, State] = {}
        """The last observation of each key."""
        self._grace = grace
        self._clock = clock
        self._named: dict[Key, float] = {}
        """A time before each blob was last named or released: its grace did not begin earlier."""
        self._asked: dict[Key, float] = {}
        """A time before each blob was last asked for: its grace began again, until the power is cut."""
        self._users: dict[str, list[str]] = defaultdict(list)
        """The documents that name each blob."""
        self._now = 0
        self._writes: dict[Key, list[Write]] = defaultdict(lambda: [Write(None, -1, -1, acknowledged=True)])
        self._keys: dict[tuple[Kind, str], set[Key]] = defaultdict(set)
        self._in_question: set[Key] = set()
        self._lock = threading.Lock()

    def know(self, document: Document) -> None:
        """Remember a document before it is pushed."""
        with self._lock:
            if document.digest not in self.documents:
                self.documents[document.digest] = document
                for part in document.parts:
                    self._users[part].append(document.digest)

    def begin(self, *effects: Effect) -> Operation:
        with self._lock:
            self._now += 1
            self.begun += 1
            for effect in effects:
                self._keep_parts_until_now(effect)
                self._in_question.add(effect.key)
                self._keys[effect.key.kind, effect.key.repository].add(effect.key)
                self._writes[effect.key].append(Write(effect.state, self._now, only_from=effect.only_from))
            return Operation(self, self._now, effects, self._clock())

    def end(self, operation: Operation, *, acknowledged: bool) -> None:
        with self._lock:
            self._now += 1
            acknowledged = acknowledged and self.power
            self.acknowledged += acknowledged
            for effect in operation.effects:
                if acknowledged and effect.state is not None:
                    self._name(effect.key, operation.at)
                self._change(
                    operation, effect.key, lambda write: replace(write, ended=self._now, acknowledged=acknowledged)
                )
        if acknowledged:
            self.on_acknowledge()

    def drop(self, operation: Operation) -> None:
        with self._lock:
            for effect in operation.effects:
                self._change(operation, effect.key, lambda _: None)

    def restarted(self) -> None:
        """Nothing of before can still happen: every process of the registry was killed.

        A session that has no bytes yet may be gone if the power was: there is nothing in it to lose, and its client
        starts another. So may a grace that began again because a client asked.
        """
        with self._lock:
            cut, self.power = not self.power, True
            self._now += 1
            if cut:
                self._asked.clear()
            for key in self._in_question:
                writes = [
                    replace(write, ended=self._now) if write.ended is None else write for write in self._writes[key]
                ]
                if cut and key.kind is Kind.SESSION and 0 in allowed(writes):
                    writes.append(Write(None, self._now, self._now))
                self._writes[key] = writes

    def allowed(self, key: Key) -> frozenset[State]:
        with self._lock:
            states = self._acknowledged(key)
            return states | {None} if self._may_have_expired(key) else states

    def asked(self, key: Key, at: float) -> None:
        """The registry was asked for a blob after the time `at`, and had it: its grace begins again.

        The registry does not wait for the disk then, so a power cut may undo it.
        """
        with self._lock:
            self._asked[key] = at

    def observe(self, key: Key, state: State) -> None:
        """This state was read while no write was under way: it stays until a later or a late operation changes it."""
        with self._lock:
            self._now += 1
            self.seen[key] = state
            late = [write for write in self._writes[key] if write.ended is None]
            self._writes[key] = [Write(state, self._now, self._now, acknowledged=True), *late]

    def in_question(self) -> list[Key]:
        """Return the keys of operations since the last `answered`, in order."""
        with self._lock:
            return sorted(self._in_question)

    def answered(self, keys: Iterable[Key]) -> None:
        with self._lock:
            self._in_question.difference_update(keys)

    def all_keys(self) -> list[Key]:
        with self._lock:
            return sorted(self._writes)

    def keys_of(self, kind: Kind, repository: str) -> list[Key]:
        with self._lock:
            return sorted(self._keys[kind, repository])

    def _acknowledged(self, key: Key) -> frozenset[State]:
        return allowed(self._writes[key]) if key in self._writes else frozenset({None})

    def _name(self, key: Key, at: float) -> None:
        self._named[key] = max(at, self._named.get(key, at))

    def _keep_parts_until_now(self, effect: Effect) -> None:
        """Name the parts of a manifest that is in place, and is perhaps deleted now."""
        key = effect.key
        document = self.documents.get(key.name) if key.kind is Kind.MANIFEST and effect.state is None else None
        if document and self._acknowledged(key) == {PRESENT}:
            for part in document.parts:
                self._name(Key(Kind.BLOB, key.repository, part), self._clock())

    def _may_have_expired(self, key: Key) -> bool:
        """Half of the grace is left for requests under way: for a look at the key, or for a manifest that needs it."""
        begun = max(self._named.get(key, -math.inf), self._asked.get(key, -math.inf))
        if key.kind is not Kind.BLOB or self._clock() - begun < self._grace / 2:
            return False
        users = (Key(Kind.MANIFEST, key.repository, digest) for digest in self._users.get(key.name, ()))
        return all(self._acknowledged(user) != {PRESENT} for user in users)

    def _change(self, operation: Operation, key: Key, change: Callable[[Write], Write | None]) -> None:
        changed = [change(each) if each.begun == operation.begun else each for each in self._writes[key]]
        self._writes[key] = [each for each in changed if each is not None]
        self._writes[key] = [each for each in self._writes[key] if not _forgettable(each, self._writes[key])]


def _forgettable(write: Write, writes: Sequence[Write]) -> bool:
    """Return whether a write no longer matters: an unconditional one undid it before all that is still open."""
    earliest = min((each.begun for each in writes if each.ended is None), default=None)
    return any(
        write.undone_by(other)
        and other.only_from is None
        and other.ended is not None
        and (earliest is None or other.ended < earliest)
        for other in writes
    )
