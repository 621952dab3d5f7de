"""Whether a broken and restarted registry holds what its ledger says: everything acknowledged, and nothing in part.

    Verifier(ledger, connection, abilities, seed).verify()   the keys in question since the last call, or all

Called while no request is under way. The ledger takes over what is found, so a loss is reported once.
"""

from collections.abc import Iterable
from random import Random

from faults.crashes import pushing
from faults.crashes.connection import Connection, Unanswered, with_query
from faults.crashes.exclusive_client import attempt, blob_key, shown
from faults.crashes.ledger import PRESENT, Effect, Key, Kind, Ledger, State
from faults.crashes.pushing import Abilities, Begin, Surprise
from faults.crashes.reading import Reader, received

LOST = "lost: "
"""How faults begin that say that something is not as it was acknowledged."""
MAX_WAIT = 20
"""How many keys may get no answer before it is given up: a registry that is gone would cost a time-out for each."""
CONTINUED = 0.5
"""The share of open upload sessions that a verification carries on to their end."""


class Verifier:
    """Asks over HTTP, through one connection; raises `Unanswered` when the registry fails to answer."""

    def __init__(self, ledger: Ledger, connection: Connection, abilities: Abilities, seed: int) -> None:
        self.checked = 0
        self._patience = MAX_WAIT
        self._told: set[str] = set()
        self._ledger = ledger
        self._connection = connection
        self._abilities = abilities
        self._random = Random(f"verifier {seed}")

    def verify(self, *, all_keys: bool = False) -> list[str]:
        """Return what is wrong, in a line each."""
        keys = self._ledger.all_keys() if all_keys else self._ledger.in_question()
        faults: list[str] = []
        reader = Reader(self._connection)
        for key in keys:
            faults += self._check(reader, key)
        self.checked += len(keys)
        self._ledger.answered(keys)
        for repository in sorted({key.repository for key in keys}):
            faults += self._check_listings(reader, repository)
        sessions = [key for key in keys if key.kind is Kind.SESSION and self._random.random() < CONTINUED]
        return faults + [fault for key in sessions for fault in self._continue(reader, key)]

    def _check(self, reader: Reader, key: Key) -> list[str]:
        allowed = self._ledger.allowed(key)
        if key.kind is Kind.SESSION and allowed == {None}:
            return []
        location = self._ledger.uploads[key].location if key.kind is Kind.SESSION else ""
        before = len(reader.faults)
        try:
            state = reader.state(key, location)
        except Unanswered as error:
            self._patience -= 1
            if self._patience < 0:
                raise
            return [f"{'' if None in allowed else LOST}{key}: not answered at rest: {error}"]
        faults = reader.faults[before:]
        upload = self._ledger.uploads.get(key)
        fine = upload.may_stand_at(state, allowed) if upload else state in allowed
        if not fine and not faults:
            faults.append(f"{LOST}{key}: allowed {shown(allowed)}, found {shown([state])}")
        if key.kind is not Kind.SESSION or len(allowed) == 1:
            self._ledger.observe(key, state)
        return faults

    def _check_listings(self, reader: Reader, repository: str) -> list[str]:
        listed, tags = reader.tags(repository), self._present(Kind.TAG, repository)
        faults = self._differences(f"the tag list of {repository}", listed, tags)
        if self._abilities.referrers:
            manifests = self._present(Kind.MANIFEST, repository)
            documents = [self._ledger.documents[digest] for digest in manifests]
            referrers: dict[str, set[str]] = {}
            for document in documents:
                if document.subject:
                    referrers.setdefault(document.subject, set()).add(document.digest)
            for subject, expected in sorted(referrers.items()):
                listed = reader.referrers(repository, subject)
                faults += self._differences(f"the referrers of {repository} {subject}", listed, expected)
        return faults

    def _present(self, kind: Kind, repository: str) -> set[str]:
        """Return the names of what the last look at each key found there."""
        keys = self._ledger.keys_of(kind, repository)
        return {key.name for key in keys if self._ledger.seen.get(key) is not None}

    def _continue(self, reader: Reader, key: Key) -> list[str]:
        """Continue an upload up to its blob."""
        states = self._ledger.allowed(key)
        upload = self._ledger.uploads[key]
        if states == {None}:
            return []
        answer = self._connection.ask("GET", with_query(upload.location, ""))
        at: State = received(answer)
        if not isinstance(at, int):
            return []
        location = answer.headers.get("location", upload.location)
        content = upload.content
        blob = blob_key(key.repository, content)

        def finish(begin: Begin) -> None:
            begin()
            pushing.finish(self._connection, location, content.digest, content.data()[at:])

        try:
            attempt(self._ledger, [Effect(key, None), Effect(blob, PRESENT)], finish)
        except Surprise as surprise:
            # The closing request was not acknowledged, so it may still be moving the bytes to their content.
            if None in states and surprise.status == 404:
                self._ledger.observe(key, None)
                return []
            return [f"{key}: cannot go on at {at}: {surprise}"]
        return self._check(reader, blob)

    def _differences(self, what: str, listed: Iterable[str], expected: Iterable[str]) -> list[str]:
        """Return differences of a listing that were not reported before: a wrong entry stays wrong."""
        lacking, more = sorted(set(expected) - set(listed)), sorted(set(listed) - set(expected))
        found = [f"{what} lacks {each}" for each in lacking] + [f"{what} has {each}" for each in more]
        new = [fault for fault in found if fault not in self._told]
        self._told.update(new)
        return new
