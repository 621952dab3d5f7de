"""What clients do before a collection, while it is at one of its steps, and after a crash there.

    prepare ─► a collection ─► all of it is old ─► begin ─► a collection up to a step ─► act ─► the rest of it
                                                                                         crash ─► again

Each race has repositories and content of its own. It remembers what was acknowledged, and what nothing needs.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from faults.client import CONFIG, IMAGE, SILENCE, Answer, Client, digest_of, image_of, require

INDEX = "application/vnd.oci.image.index.v1+json"
CACHED = "application/vnd.oci.image.layer.v1.tar+gzip"
DEPTH = 40


class Unanswered(Exception):
    """A request got no answer, or that of a registry without its disk."""


@dataclass
class Ledger:
    """What must stay, by path, and what must go: paths, and digests whose bytes are needed nowhere."""

    kept: dict[str, bytes] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    power: bool = True
    """Whether answers count: after a power cut, none does."""

    def keep(self, repository: str, reference: str, manifest: bytes, *blobs: bytes) -> None:
        """Remember a manifest and its blobs, once all of them were acknowledged."""
        if self.power:
            self.kept[f"/v2/{repository}/manifests/{reference}"] = manifest
            self.kept |= {f"/v2/{repository}/blobs/{digest_of(blob)}": blob for blob in blobs}


class Race:
    """A race in a repository, and perhaps others below it."""

    def __init__(self, client: Client, ledger: Ledger, number: int) -> None:
        self.repository = f"{type(self).__name__.lower()}/{number}"
        self.client = client
        self.ledger = ledger
        self.layer = self.content("layer")

    def prepare(self) -> None:
        """Do what is old when the collection begins."""

    def begin(self) -> None:
        """Do what comes right before the collection."""

    def act(self) -> None:
        """Do what meets the collection."""

    def again(self) -> None:
        """Do what clients do when the registry is back after a crash."""
        self.act()

    # ---------------------------------------------------------------- what clients do

    def content(self, what: str) -> bytes:
        """Return content that no other race has."""
        return f"{what} of {self.repository}".encode().ljust(3000, b".")

    def push(self, *layers: bytes, at: str = "", reference: str = "v1") -> bytes:
        """Push an image as clients do: the blobs that are not there, then the manifest. Return the manifest."""
        manifest = image_of(*layers, note=self.repository)
        for blob in (CONFIG, *layers):
            if not self.head(f"blobs/{digest_of(blob)}", at):
                self.must(201, self.client.push_in_one_put(self.repository + at, blob))
        self.put(reference, manifest, at=at)
        return manifest

    def keep(self, *layers: bytes, at: str = "", reference: str = "v1") -> None:
        """Push an image that must stay."""
        manifest = self.push(*layers, at=at, reference=reference)
        self.ledger.keep(self.repository + at, reference, manifest, CONFIG, *layers)

    def put_over(self, layer: bytes, *, reference: str = "v1") -> None:
        """Push the manifest of an image that must stay, over blobs that are there."""
        manifest = image_of(layer, note=self.repository)
        self.put(reference, manifest)
        self.ledger.keep(self.repository, reference, manifest, CONFIG, layer)

    def put(self, reference: str, manifest: bytes, media_type: str = IMAGE, *, at: str = "") -> None:
        """Push a manifest, whose parts are there."""
        path = f"/v2/{self.repository}{at}/manifests/{reference}"
        self.must(201, self.client.ask("PUT", path, manifest, {"content-type": media_type}))

    def head(self, what: str, at: str = "") -> bool:
        """Return whether a blob or manifest is there. What comes next relies on it."""
        return self._answered(self.client.ask("HEAD", f"/v2/{self.repository}{at}/{what}")).status == 200

    def delete(self, what: str, at: str = "") -> None:
        self.must(202, self.client.ask("DELETE", f"/v2/{self.repository}{at}/{what}"))

    def must(self, status: int, answer: Answer) -> None:
        """Require a status.

        Raises: Refused, Unanswered.
        """
        require(status, self._answered(answer))

    def _answered(self, answer: Answer) -> Answer:
        if answer.status == SILENCE or (answer.status >= 500 and not self.ledger.power):
            raise Unanswered(str(answer))
        return answer


class Head(Race):
    """A HEAD finds blobs that no manifest needs, and their manifest comes while they could be collected."""

    def prepare(self) -> None:
        for blob in (CONFIG, self.layer):
            self.must(201, self.client.push_in_one_put(self.repository, blob))

    def begin(self) -> None:
        for blob in (CONFIG, self.layer):
            if not self.head(f"blobs/{digest_of(blob)}"):
                self.must(201, self.client.push_in_one_put(self.repository, blob))

    def act(self) -> None:
        self.put_over(self.layer)

    def again(self) -> None:
        self.keep(self.layer)  # a power cut can undo that a grace began again


class Mount(Race):
    """Blobs are mounted from a source in which they end: before the collection, and beside it."""

    def prepare(self) -> None:
        for source in ("/before", "/beside"):
            layer = self.content(source)
            self.delete(f"manifests/{digest_of(self.push(layer, at=source))}", source)
            self.ledger.ended.add(f"/v2/{self.repository}{source}/blobs/{digest_of(layer)}")

    def begin(self) -> None:
        self._mount("/before")

    def act(self) -> None:
        self.put_over(self.content("/before"), reference="before")
        self._mount("/beside")
        self.put_over(self.content("/beside"), reference="beside")

    def again(self) -> None:
        self._mount("/before")
        self.act()

    def _mount(self, source: str) -> None:
        for blob in (CONFIG, self.content(source)):
            mounted = self.client.mount(self.repository, digest_of(blob), self.repository + source)
            if mounted.status == 202:
                mounted = self.client.push_in_one_put(self.repository, blob)
            self.must(201, mounted)


class Retag(Race):
    """An image without a tag, and its signature, get a tag while they could be collected."""

    def prepare(self) -> None:
        self.manifest = self.push(self.layer)
        self.signed = _signature(self.manifest, self.repository)
        self.put(digest_of(self.signed), self.signed)
        self.delete("manifests/v1")

    def act(self) -> None:
        if self.head(f"manifests/{digest_of(self.manifest)}"):
            self.put("v2", self.manifest)
        else:  # the HEAD promised nothing
            self.keep(self.layer, reference="v2")
            self.put(digest_of(self.signed), self.signed)
        self.ledger.keep(self.repository, "v2", self.manifest, CONFIG, self.layer)
        self.ledger.keep(self.repository, digest_of(self.signed), self.signed)


class Signed(Race):
    """The signatures of an image with a tag stay with it, one that is pushed beside the collection, too."""

    def prepare(self) -> None:
        self.manifest = self.push(self.layer)
        self.ledger.keep(self.repository, "v1", self.manifest, CONFIG, self.layer)
        self._sign("before")

    def act(self) -> None:
        self._sign("beside")

    def _sign(self, note: str) -> None:
        signature = _signature(self.manifest, note)
        self.put(digest_of(signature), signature)
        self.ledger.keep(self.repository, digest_of(signature), signature)


class Recommit(Race):
    """What was deleted is pushed again while it is removed: to the same repository, and to another one."""

    def prepare(self) -> None:
        self.delete(f"manifests/{digest_of(self.push(self.layer))}")
        self.delete(f"blobs/{digest_of(self.layer)}")

    def act(self) -> None:
        self.keep(self.layer)
        self.keep(self.layer, at="/other")


class Cache(Race):
    """The layers of a build cache, children of an index, stay with it, and are used by the next one."""

    def prepare(self) -> None:
        self.layers = [self.content("layer"), self.content("another layer"), self.content("an old layer")]
        for blob in self.layers:
            self.must(201, self.client.push_in_one_put(self.repository, blob))
        self._push("kept", self.layers[0])
        self.old = _index([(CACHED, layer) for layer in self.layers[1:]])
        self.put("old", self.old, INDEX)
        self.delete(f"manifests/{digest_of(self.old)}")

    def act(self) -> None:
        if not self.head(f"blobs/{digest_of(self.layers[1])}"):
            self.must(201, self.client.push_in_one_put(self.repository, self.layers[1]))
        self._push("next", *self.layers[:2])
        self.ledger.removed.add(digest_of(self.layers[2]))

    def _push(self, tag: str, *layers: bytes) -> None:
        index = _index([(CACHED, layer) for layer in layers])
        self.put(tag, index, INDEX)
        self.ledger.keep(self.repository, tag, index, *layers)


class Nested(Race):
    """A chain of indexes, each of which names the next one twice: 2**40 paths lead to the image."""

    def prepare(self) -> None:
        child = self.push(self.layer, reference=digest_of(image_of(self.layer, note=self.repository)))
        self.chain, media_type = [child], IMAGE
        for _ in range(DEPTH):
            self.chain.append(_index([(media_type, self.chain[-1])] * 2))
            media_type = INDEX
        self._push_all("v1")
        self.delete("manifests/v1")

    def act(self) -> None:
        if self.head(f"manifests/{digest_of(self.chain[-1])}"):
            self.put("v2", self.chain[-1], INDEX)
        else:
            self.push(self.layer, reference=digest_of(self.chain[0]))
            self._push_all("v2")
        for index in self.chain[1:]:
            self.ledger.keep(self.repository, digest_of(index), index)
        self.ledger.keep(self.repository, digest_of(self.chain[0]), self.chain[0], CONFIG, self.layer)

    def _push_all(self, tag: str) -> None:
        for index in self.chain[1:]:
            self.put(tag if index is self.chain[-1] else digest_of(index), index, INDEX)


class Restore(Race):
    """A manifest is deleted after its tag was, and restored: its parts, which are older, wait for it."""

    def prepare(self) -> None:
        self.manifest = self.push(self.layer)
        self.delete("manifests/v1")

    def begin(self) -> None:
        self.delete(f"manifests/{digest_of(self.manifest)}")

    def act(self) -> None:
        body = json.dumps({"digest": digest_of(self.manifest)}).encode()
        path = f"/api/v1/repositories/{self.repository}/restore"
        self.must(200, self.client.ask("POST", path, body, {"content-type": "application/json"}))
        self.put("v2", self.manifest)
        self.ledger.keep(self.repository, "v2", self.manifest, CONFIG, self.layer)

    def again(self) -> None:
        self.keep(self.layer, reference="v2")


class Leave(Race):
    """What nothing needs goes: of a deleted image, of one without a tag, and blobs without a manifest."""

    def prepare(self) -> None:
        deleted, untagged, alone = (self.content(what) for what in ("deleted", "untagged", "alone"))
        self.delete(f"manifests/{digest_of(self.push(deleted))}")
        self.push(untagged)
        self.delete("manifests/v1")
        self.must(201, self.client.push_in_one_put(self.repository, alone))
        digests = [digest_of(layer) for layer in (deleted, untagged, alone)]
        self.ledger.removed.update(digests)
        self.ledger.ended.update(f"/v2/{self.repository}/blobs/{digest}" for digest in digests)


RACES = (Head, Mount, Retag, Signed, Recommit, Cache, Nested, Restore, Leave)


def _index(children: Sequence[tuple[str, bytes]]) -> bytes:
    descriptors = [{"mediaType": kind, "digest": digest_of(data), "size": len(data)} for kind, data in children]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors}).encode()


def _signature(subject: bytes, note: str) -> bytes:
    about = {"mediaType": IMAGE, "digest": digest_of(subject), "size": len(subject)}
    return json.dumps(json.loads(image_of(note=note)) | {"subject": about}).encode()
