"""A client that uses its repositories alone, so that their exact content is known.

Each method is one kind of request. It records in the ledger what was begun and acknowledged, and raises `Unanswered` if
the connection broke and `Surprise` if the registry wrongly refused.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from random import Random

from faults.crashes import pushing
from faults.crashes.connection import Connection, Unanswered, with_query
from faults.crashes.contents import Content, Document, image, index
from faults.crashes.ledger import PRESENT, Effect, Key, Kind, Ledger, Operation, State, Upload
from faults.crashes.pushing import Abilities, Begin, Surprise
from faults.crashes.reading import Reader, received

TAGS = 12
REMEMBERED = 60
"""Contents of each kind from which a client chooses; older ones stay where they are."""


def attempt(ledger: Ledger, effects: list[Effect], act: Callable[[Begin], None]) -> None:
    """Do it; `act` calls its argument when the effects may begin. They are acknowledged when it returns."""
    begun: list[Operation] = []
    try:
        act(lambda: begun.append(ledger.begin(*effects)))
    except Unanswered as error:
        for operation in begun if not error.late else ():
            operation.fail()
        raise
    except Surprise:
        for operation in begun:
            operation.fail()
        raise
    begun[0].acknowledge()


class ExclusiveClient:
    """One client."""

    def __init__(self, number: int, seed: int, ledger: Ledger, connection: Connection, abilities: Abilities) -> None:
        self._ledger = ledger
        self._connection = connection
        self._abilities = abilities
        self._random = Random(f"owner {seed}/{number}")
        self._seed = seed * 1000 + number
        self._count = 0
        self._repositories = [f"team{number}", f"team{number}/tools"]
        self._blobs: dict[str, deque[Content]] = {each: deque(maxlen=REMEMBERED) for each in self._repositories}
        self._documents: dict[str, deque[Document]] = {each: deque(maxlen=REMEMBERED) for each in self._repositories}
        self._needed: set[Key] = set()
        """What some manifest names: it is not deleted."""
        self._recent: deque[Key] = deque(maxlen=REMEMBERED)
        self._sessions: list[Key] = []
        self._deeds = list(self._weighed())

    def act(self) -> None:
        """Do one thing that clients do."""
        deeds, weights = zip(*self._deeds, strict=True)
        self._random.choices(deeds, weights)[0](self._random.choice(self._repositories))

    def _weighed(self) -> Iterator[tuple[Callable[[str], object], int]]:
        yield self._push_blob, 18
        yield self._mount, 6
        yield self._push_image, 12
        yield self._push_index, 4
        yield self._push_artifact, 6
        yield self._move_tag, 28
        yield self._continue_session, 18
        yield self._read_back, 20
        if self._abilities.delete_tag:
            yield self._delete_tag, 4
        if self._abilities.delete_manifest:
            yield self._delete_manifest, 4
        if self._abilities.delete_blob:
            yield self._delete_blob, 4

    # ---------------------------------------------------------------- blobs

    def _push_blob(self, repository: str) -> Content:
        content = self._new_content()
        way = self._random.choice(pushing.WAYS)
        self._attempt(
            [Effect(blob_key(repository, content), PRESENT)],
            lambda begin: way(self._connection, repository, content, begin),
        )
        self._blobs[repository].append(content)
        return content

    def _mount(self, repository: str) -> None:
        source = next(each for each in self._repositories if each != repository)
        if content := self._present_blob(source):
            self._attempt(
                [Effect(blob_key(repository, content), PRESENT)],
                lambda begin: pushing.mount(self._connection, repository, source, content, begin),
            )
            self._blobs[repository].append(content)

    def _delete_blob(self, repository: str) -> None:
        content = self._present_blob(repository)
        if content and blob_key(repository, content) not in self._needed:
            self._delete(f"/v2/{repository}/blobs/{content.digest}", Effect(blob_key(repository, content), None))

    # ---------------------------------------------------------------- manifests

    def _push_image(self, repository: str) -> Document:
        blobs = [self._present_blob(repository) or self._push_blob(repository) for _ in range(2)]
        config, *layers = [self._push_blob(repository), *blobs]
        return self._push_document(repository, image(config, layers, self._note()))

    def _push_index(self, repository: str) -> None:
        children = [each for _ in range(2) if (each := self._present_document(repository))]
        if children:
            self._push_document(repository, index(children, self._note()))

    def _push_artifact(self, repository: str) -> None:
        subject = self._present_document(repository)
        config = self._present_blob(repository)
        if subject and config:
            self._needed.add(manifest_key(repository, subject.digest))
            self._push_document(repository, image(config, [], self._note(), subject))

    def _move_tag(self, repository: str) -> None:
        if document := self._present_document(repository):
            self._put(repository, document, [self._tag()])

    def _push_document(self, repository: str, document: Document) -> Document:
        self._ledger.know(document)
        self._needed.update(Key(Kind.BLOB, repository, digest) for digest in document.parts)
        self._needed.update(manifest_key(repository, digest) for digest in document.children)
        self._put(repository, document, self._random.choice([[], [self._tag()]]))
        self._documents[repository].append(document)
        return document

    def _put(self, repository: str, document: Document, tags: list[str]) -> None:
        """Push by tag or by digest, or with several tags at once."""
        reference = tags[0] if tags else document.digest
        if tags and self._abilities.several_tags and self._random.random() < 0.2:
            tags = sorted({*tags, self._tag()})
            reference = f"{document.digest}?{'&'.join(f'tag={tag}' for tag in tags)}"
        effects = [Effect(manifest_key(repository, document.digest), PRESENT)]
        effects += [Effect(Key(Kind.TAG, repository, tag), document.digest) for tag in tags]

        def put(begin: Begin) -> None:
            begin()
            pushing.put_manifest(self._connection, repository, reference, document)

        self._attempt(effects, put)

    def _delete_tag(self, repository: str) -> None:
        tag = Key(Kind.TAG, repository, self._tag())
        if self._ledger.allowed(tag) != {None}:
            self._delete(f"/v2/{repository}/manifests/{tag.name}", Effect(tag, None))

    def _delete_manifest(self, repository: str) -> None:
        document = self._present_document(repository)
        key = manifest_key(repository, document.digest) if document else None
        if document and key and key not in self._needed:
            tags = self._ledger.keys_of(Kind.TAG, repository)
            effects = [Effect(key, None), *(Effect(tag, None, only_from=document.digest) for tag in tags)]
            self._delete(f"/v2/{repository}/manifests/{document.digest}", *effects)

    # ---------------------------------------------------------------- sessions

    def _continue_session(self, repository: str) -> None:
        """Begin a session, or add to one, or end one."""
        if len(self._sessions) < 3:
            self._begin_session(repository)
            return
        key = self._random.choice(self._sessions)
        upload, states = self._ledger.uploads[key], self._ledger.allowed(key)
        if len(states) > 1:
            states = frozenset({self._look_at_session(key)})
        at = next(iter(states))
        if not isinstance(at, int):
            self._sessions.remove(key)
        elif self._random.random() < 0.6:
            self._append(key, upload, at)
        else:
            self._sessions.remove(key)
            self._finish(key, upload, at)

    def _begin_session(self, repository: str) -> None:
        content = self._new_content()
        key = Key(Kind.SESSION, repository, f"{content.seed}/{content.number}")
        location = pushing.start(self._connection, repository)
        self._ledger.uploads[key] = Upload(content, location)
        self._attempt([Effect(key, 0)], lambda begin: begin())
        self._sessions.append(key)

    def _look_at_session(self, key: Key) -> State:
        """Return the state of a session whose last request was not answered."""
        upload = self._ledger.uploads[key]
        answer = self._connection.ask("GET", with_query(upload.location, ""))
        state = received(answer)
        states = self._ledger.allowed(key)
        if not upload.may_stand_at(state, states):
            raise Surprise(f"{key}: allowed {shown(states)}, but Range gives {shown([state])}", answer)
        upload.location = answer.headers.get("location", upload.location)
        self._ledger.observe(key, state)
        return state

    def _append(self, key: Key, upload: Upload, at: int) -> None:
        data = upload.content.data()[at : at + self._random.choice([2, 500, 5_000, 300_000])]
        if len(data) < 2:
            return

        def append(begin: Begin) -> None:
            begin()
            answer = pushing.append(self._connection, upload.location, data, at)
            if received(answer) != at + len(data):
                raise Surprise(f"{key}: {len(data)} bytes at {at} give {answer.headers.get('range')}", answer)
            upload.location = answer.headers["location"]

        self._attempt([Effect(key, at + len(data))], append)

    def _finish(self, key: Key, upload: Upload, at: int) -> None:
        content = upload.content

        def finish(begin: Begin) -> None:
            begin()
            pushing.finish(self._connection, upload.location, content.digest, content.data()[at:])

        self._attempt([Effect(key, None), Effect(blob_key(key.repository, content), PRESENT)], finish)

    # ---------------------------------------------------------------- reading

    def _read_back(self, _repository: str) -> None:
        """Read what this client wrote not long ago."""
        if not self._recent:
            return
        key = self._random.choice(self._recent)
        before = self._ledger.allowed(key)
        reader = Reader(self._connection)
        state = reader.state(key)
        if state not in before:
            reader.faults.append(f"{key}: while serving: allowed {shown(before)}, found {shown([state])}")
        if reader.faults:
            raise BrokenPromise(reader.faults)

    # ---------------------------------------------------------------- what they share

    def _attempt(self, effects: list[Effect], act: Callable[[Begin], None]) -> None:
        self._recent.extend(effect.key for effect in effects if effect.key.kind is not Kind.SESSION)
        attempt(self._ledger, effects, act)

    def _delete(self, path: str, effect: Effect, *further: Effect) -> None:
        """Delete; "not found" is as good when it may be gone already."""
        before = self._ledger.allowed(effect.key)

        def delete(begin: Begin) -> None:
            begin()
            fine = (200, 202, 204, 404) if None in before else (200, 202, 204)
            pushing.insist(f"DELETE {effect.key}", self._connection.ask("DELETE", path), *fine)

        self._attempt([effect, *further], delete)

    def _new_content(self) -> Content:
        self._count += 1
        return Content(self._seed, self._count)

    def _note(self) -> str:
        self._count += 1
        return f"{self._seed}/{self._count}"

    def _tag(self) -> str:
        return f"v{self._random.randrange(TAGS)}"

    def _present_blob(self, repository: str) -> Content | None:
        """Return a blob that must be there, if one comes to mind; ask for one that may have expired."""
        found = self._random.choice(self._blobs[repository]) if self._blobs[repository] else None
        key = blob_key(repository, found) if found else None
        if key and self._ledger.allowed(key) == {PRESENT, None}:
            self._ask_for(key)
        return found if key and self._ledger.allowed(key) == {PRESENT} else None

    def _ask_for(self, key: Key) -> None:
        """Ask for a blob, as clients do before they rely on it: the answer restarts its grace."""
        at = time.monotonic()
        answer = self._connection.ask("HEAD", f"/v2/{key.repository}/blobs/{key.name}")
        pushing.insist(f"HEAD {key}", answer, 200, 404)
        self._ledger.observe(key, PRESENT if answer.status == 200 else None)
        if answer.status == 200:
            self._ledger.asked(key, at)

    def _present_document(self, repository: str) -> Document | None:
        found = self._random.choice(self._documents[repository]) if self._documents[repository] else None
        return found if found and self._ledger.allowed(manifest_key(repository, found.digest)) == {PRESENT} else None


class BrokenPromise(Exception):
    """A client saw what must not be; in a line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def blob_key(repository: str, content: Content) -> Key:
    return Key(Kind.BLOB, repository, content.digest)


def manifest_key(repository: str, digest: str) -> Key:
    return Key(Kind.MANIFEST, repository, digest)


def shown(states: Iterable[State]) -> str:
    return " or ".join(sorted("absent" if state is None else str(state) for state in states))
