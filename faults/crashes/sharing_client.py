"""A client that shares its repository: the same blobs are pushed at once, tags and manifests moved and deleted by many.

No client knows what the others did last. The ledger does: each of several overlapping operations is possible.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from random import Random

from faults.crashes import pushing
from faults.crashes.connection import Connection, Unanswered
from faults.crashes.contents import Content, Document, image
from faults.crashes.exclusive_client import BrokenPromise, attempt, blob_key, manifest_key
from faults.crashes.ledger import PRESENT, Effect, Key, Kind, Ledger
from faults.crashes.pushing import Abilities, Begin, Way
from faults.crashes.reading import Reader

REPOSITORY = "shared/by-all"
TAGS = [f"s{number}" for number in range(6)]


class Shared:
    """The repository of all clients: content that stays, and content that comes and goes."""

    def __init__(self, seed: int, ledger: Ledger, clients: int) -> None:
        self._seed = seed
        self._clients = clients
        self._rounds = itertools.count(clients)
        self._blobs = [Content(seed, number) for number in range(4)]
        self.ledger = ledger
        self.volatile_blobs = [Content(seed, number) for number in range(4, 8)]
        self.documents: Sequence[Document] = [image(self._blobs[0], self._blobs[1:], f"{n}") for n in range(12)]
        self.volatile_documents = self.documents[8:]

    def prepare(self, connection: Connection) -> None:
        """Push what stays, and what goes may find."""
        for content in (*self._blobs, *self.volatile_blobs):
            push(self.ledger, connection, content, pushing.in_one_put)
        time.sleep(pushing.SETTLE)
        for document in self.documents:
            self.ledger.know(document)
            put(self.ledger, connection, document, "")

    def next_content(self) -> Content:
        """Return content that about as many clients get at once as there are."""
        return Content(self._seed, 1000 + next(self._rounds) // self._clients)


class SharingClient:
    """One of the clients, with a connection of its own."""

    def __init__(self, number: int, seed: int, shared: Shared, connection: Connection, abilities: Abilities) -> None:
        self._shared = shared
        self._ledger = shared.ledger
        self._connection = connection
        self._random = Random(f"sharer {seed}/{number}")
        self._deeds: list[Callable[[], None]] = [*[self._push_together] * 4, self._move_tag, self._move_tag]
        self._deeds += [self._push_volatile]
        if abilities.delete_tag:
            self._deeds.append(self._delete_tag)
        if abilities.delete_manifest:
            self._deeds.append(self._delete_manifest)
        if abilities.delete_blob:
            self._deeds.append(self._delete_blob)

    def act(self) -> None:
        """Do one thing beside the others."""
        self._random.choice(self._deeds)()

    def _push_together(self) -> None:
        """Push what others push at the same time; after the first acknowledgement it must never be absent."""
        content = self._shared.next_content()
        self._push(content)
        reader = Reader(self._connection)
        if reader.state(blob_key(REPOSITORY, content)) != PRESENT or reader.faults:
            raise BrokenPromise([f"{content.digest} is missing while it is pushed again", *reader.faults])

    def _push_volatile(self) -> None:
        self._push(self._random.choice(self._shared.volatile_blobs))

    def _push(self, content: Content) -> None:
        push(self._ledger, self._connection, content, self._random.choice(pushing.WAYS))

    def _move_tag(self) -> None:
        put(self._ledger, self._connection, self._random.choice(self._shared.documents), self._random.choice(TAGS))

    def _delete_tag(self) -> None:
        tag = self._random.choice(TAGS)
        self._delete(f"manifests/{tag}", Effect(Key(Kind.TAG, REPOSITORY, tag), None))

    def _delete_manifest(self) -> None:
        digest = self._random.choice(self._shared.volatile_documents).digest
        tags = [Effect(Key(Kind.TAG, REPOSITORY, tag), None, only_from=digest) for tag in TAGS]
        self._delete(f"manifests/{digest}", Effect(manifest_key(REPOSITORY, digest), None), *tags)

    def _delete_blob(self) -> None:
        content = self._random.choice(self._shared.volatile_blobs)
        self._delete(f"blobs/{content.digest}", Effect(blob_key(REPOSITORY, content), None))

    def _delete(self, path: str, *effects: Effect) -> None:
        """Delete; a client that comes second has no effect."""
        operation = self._ledger.begin(*effects)
        try:
            answer = self._connection.ask("DELETE", f"/v2/{REPOSITORY}/{path}")
        except Unanswered as error:
            if not error.late:
                operation.fail()
            raise
        if answer.status == 404:
            operation.refuse()
        else:
            operation.acknowledge()
            pushing.insist(f"DELETE {path}", answer, 200, 202, 204)


def push(ledger: Ledger, connection: Connection, content: Content, way: Way) -> None:
    """Push a blob."""
    effect = Effect(blob_key(REPOSITORY, content), PRESENT)
    attempt(ledger, [effect], lambda begin: way(connection, REPOSITORY, content, begin))


def put(ledger: Ledger, connection: Connection, document: Document, tag: str) -> None:
    """Push a manifest, by `tag` unless that is empty."""
    effects = [Effect(manifest_key(REPOSITORY, document.digest), PRESENT)]
    effects += [Effect(Key(Kind.TAG, REPOSITORY, tag), document.digest)] if tag else []

    def act(begin: Begin) -> None:
        begin()
        pushing.put_manifest(connection, REPOSITORY, tag or document.digest, document)

    attempt(ledger, effects, act)
