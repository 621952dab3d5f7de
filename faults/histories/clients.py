"""Clients that compete for a few tags and digests, and record each request and answer with their times.

They record operations on registers (`faults.histories.linearizable`), each with a key:

    ("tag", repository, tag)            holds the digest that the tag points at
    ("manifest", repository, digest)    holds True while the repository holds the manifest
    ("blob", repository, digest)        the same for a blob

One answer can concern several registers: a tag that resolves shows that its manifest exists, a deletion by digest can
remove a tag too. Each register is checked alone, which accepts no history that is wrong for one of them.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from faults.histories.linearizable import NEVER, Act, Operation, Value
from faults.wire import Answer, Wire

Key = tuple[str, str, str]

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ACCEPT = {"Accept": MANIFEST_TYPE}
"""Without it, registries of the `distribution` family answer 404 for what is there."""
CONFIG = b"{}"
TAGS = tuple(f"t{number}" for number in range(4))
BLOBS = tuple(f"blob {number}".encode() for number in range(3))


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def manifest(name: str, *, subject: str | None = None) -> bytes:
    """Return a manifest that no other name gives."""
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(CONFIG), "size": len(CONFIG)},
        "layers": [],
        "annotations": {"name": name},
    }
    if subject is not None:
        document["artifactType"] = "application/x.note"
        document["subject"] = {"mediaType": MANIFEST_TYPE, "digest": subject, "size": 1}
    return json.dumps(document).encode()


SHARED = tuple(manifest(f"shared {number}") for number in range(3))
SUBJECT = digest_of(b"the subject of all referrers")


@dataclass(slots=True)
class Log:
    """What one client sent and received."""

    operations: list[tuple[Key, Operation]] = field(default_factory=list)
    listings: list[tuple[str, frozenset[str], float, float]] = field(default_factory=list)
    """Referrers that a listing of a repository showed: which it should have shown is known when all is over."""
    referrers: list[tuple[str, str]] = field(default_factory=list)
    """Referrers that were pushed: repository and digest."""
    requests: int = 0
    unexpected: Counter[str] = field(default_factory=Counter)
    """Answers that no client should get, whatever others do meanwhile."""
    unsupported: Counter[str] = field(default_factory=Counter)
    """Requests that this registry does not offer."""
    broken: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, or none, with its times."""

    answer: Answer | None
    called: float
    answered: float

    @property
    def status(self) -> int:
        return self.answer.status if self.answer is not None else 0

    @property
    def unknown(self) -> bool:
        """Whether the request may still take effect, or may have."""
        return self.answer is None or self.status >= 500


class Client:
    """One connection, one log, and a seed that decides what it does."""

    def __init__(self, wire: Wire, log: Log, name: str, repositories: tuple[str, str]) -> None:
        """Work on these two repositories, with the wire of this thread."""
        self._wire = wire
        self._log = log
        self._name = name
        self._repositories = repositories
        self._repository = repositories[0]
        self._random = Random(name)
        self._made = 0
        self._seen: dict[str, str] = {}
        """What each tag pointed at when it was last looked at."""

    def prepare(self) -> None:
        """Push what manifests need."""
        for repository in self._repositories:
            self._upload(repository, CONFIG)

    def work(self, requests: int) -> None:
        """Do what chance says, at least so many requests long."""
        acts, weights = zip(*WORK.items(), strict=True)
        until = self._log.requests + requests
        while self._log.requests < until:
            self._random.choices(acts, weights)[0](self)

    def look_at_everything(self) -> None:
        """Read every register that has a name: what is said in a quiet moment must be what history leads to."""
        for tag in TAGS:
            self._look_at_tag("GET", tag)
        for data in SHARED:
            self._look_at_digest("HEAD", "manifest", self._repository, digest_of(data))
        for repository in self._repositories:
            for data in BLOBS:
                self._look_at_digest("HEAD", "blob", repository, digest_of(data))
        self.list_tags()
        self.list_referrers()

    # ------------------------------------------------------------ what clients do

    def read_tag(self) -> None:
        self._look_at_tag(self._random.choice(["GET", "HEAD"]), self._random.choice(TAGS))

    def move_tag(self) -> None:
        """Point a tag at a manifest that no other tag ever pointed at."""
        tag = self._random.choice(TAGS)
        data, digest = self._new_manifest()
        reply = self._ask("PUT", f"/v2/{self._repository}/manifests/{tag}", data, {"Content-Type": MANIFEST_TYPE})
        if self._done(reply, 201):
            self._note(("tag", self._repository, tag), Act.WRITE, digest, reply)
            self._note(("manifest", self._repository, digest), Act.WRITE, True, reply)
            self._seen[tag] = digest

    def delete_tag(self) -> None:
        tag = self._random.choice(TAGS)
        reply = self._ask("DELETE", f"/v2/{self._repository}/manifests/{tag}")
        if reply.status in {400, 405}:
            self._log.unsupported["deletion of a tag"] += 1
        elif reply.status == 404:
            self._note(("tag", self._repository, tag), Act.READ, None, reply)
        elif self._done(reply, 202):
            self._note(("tag", self._repository, tag), Act.ERASE if reply.unknown else Act.DELETE, None, reply)

    def delete_what_a_tag_pointed_at(self) -> None:
        if self._seen:
            tag = self._random.choice(list(self._seen))
            self._delete_manifest(self._seen.pop(tag), tag)

    def read_shared(self) -> None:
        data = self._random.choice(SHARED)
        self._look_at_digest(self._random.choice(["GET", "HEAD"]), "manifest", self._repository, digest_of(data))

    def push_shared(self) -> None:
        self._push_manifest(self._random.choice(SHARED))

    def delete_shared(self) -> None:
        self._delete_manifest(digest_of(self._random.choice(SHARED)))

    def push_referrer(self) -> None:
        data, digest = self._new_manifest(subject=SUBJECT)
        self._log.referrers.append((self._repository, digest))
        self._push_manifest(data)
        if self._random.random() < 0.5:
            self._delete_manifest(digest)

    def read_blob(self) -> None:
        data = self._random.choice(BLOBS)
        method = self._random.choice(["GET", "HEAD"])
        self._look_at_digest(method, "blob", self._random.choice(self._repositories), digest_of(data))

    def push_blob(self) -> None:
        self._upload(self._random.choice(self._repositories), self._random.choice(BLOBS))

    def mount_blob(self) -> None:
        source, target = self._random.sample(self._repositories, 2)
        digest = digest_of(self._random.choice(BLOBS))
        reply = self._ask("POST", f"/v2/{target}/blobs/uploads/?mount={digest}&from={source}")
        if reply.status == 202:
            self._note(("blob", source, digest), Act.READ, None, reply)
            self._ask("DELETE", _path(reply))
        elif self._done(reply, 201):
            self._note(("blob", target, digest), Act.WRITE, True, reply)
            if not reply.unknown:
                self._note(("blob", source, digest), Act.READ, True, reply)

    def delete_blob(self) -> None:
        repository = self._random.choice(self._repositories)
        digest = digest_of(self._random.choice(BLOBS))
        reply = self._ask("DELETE", f"/v2/{repository}/blobs/{digest}")
        if reply.status == 404:
            self._note(("blob", repository, digest), Act.READ, None, reply)
        elif self._done(reply, 202):
            self._note(("blob", repository, digest), Act.ERASE if reply.unknown else Act.DELETE, None, reply)

    def list_tags(self) -> None:
        reply = self._ask("GET", f"/v2/{self._repository}/tags/list")
        if reply.status == 200 and reply.answer is not None:
            listed = set(json.loads(reply.answer.body)["tags"] or ())
        elif reply.status == 404:  # where a repository without a manifest does not exist
            listed = set()
        else:
            self._done(reply, 200)
            return
        for tag in TAGS:
            self._note(("tag", self._repository, tag), Act.PRESENT if tag in listed else Act.READ, None, reply)

    def list_referrers(self) -> None:
        reply = self._ask("GET", f"/v2/{self._repository}/referrers/{SUBJECT}")
        if reply.status == 404:
            self._log.unsupported["referrers"] += 1
        elif self._done(reply, 200) and reply.answer is not None and reply.status == 200:
            listed = frozenset(each["digest"] for each in json.loads(reply.answer.body)["manifests"])
            self._log.listings.append((self._repository, listed, reply.called, reply.answered))

    # ------------------------------------------------------------ how they do it

    def _look_at_tag(self, method: str, tag: str) -> None:
        reply = self._ask(method, f"/v2/{self._repository}/manifests/{tag}", headers=ACCEPT)
        key = ("tag", self._repository, tag)
        if reply.status == 404:
            self._note(key, Act.READ, None, reply)
        elif self._done(reply, 200) and reply.answer is not None and not reply.unknown:
            digest = reply.answer.headers["docker-content-digest"]
            if method == "GET" and digest_of(reply.answer.body) != digest:
                self._log.unexpected["the bytes of another manifest"] += 1
            self._note(key, Act.READ, digest, reply)
            self._note(("manifest", self._repository, digest), Act.READ, True, reply)
            self._seen[tag] = digest

    def _look_at_digest(self, method: str, kind: str, repository: str, digest: str) -> None:
        reply = self._ask(method, f"/v2/{repository}/{kind}s/{digest}", headers=ACCEPT if kind == "manifest" else None)
        if reply.status == 404:
            self._note((kind, repository, digest), Act.READ, None, reply)
        elif self._done(reply, 200) and reply.answer is not None and not reply.unknown:
            if method == "GET" and digest_of(reply.answer.body) != digest:
                self._log.unexpected[f"the bytes of another {kind}"] += 1
            self._note((kind, repository, digest), Act.READ, True, reply)

    def _push_manifest(self, data: bytes) -> None:
        digest = digest_of(data)
        reply = self._ask("PUT", f"/v2/{self._repository}/manifests/{digest}", data, {"Content-Type": MANIFEST_TYPE})
        if self._done(reply, 201):
            self._note(("manifest", self._repository, digest), Act.WRITE, True, reply)

    def _delete_manifest(self, digest: str, tag: str | None = None) -> None:
        """Delete by digest; `tag` is the only one that ever pointed there."""
        reply = self._ask("DELETE", f"/v2/{self._repository}/manifests/{digest}")
        key = ("manifest", self._repository, digest)
        if reply.status == 404:
            self._note(key, Act.READ, None, reply)
            if tag is not None:
                self._note(("tag", self._repository, tag), Act.DIFFERS, digest, reply)
        elif self._done(reply, 202):
            self._note(key, Act.ERASE if reply.unknown else Act.DELETE, None, reply)
            if tag is not None:
                self._note(("tag", self._repository, tag), Act.CLEAR, digest, reply)

    def _upload(self, repository: str, data: bytes) -> None:
        """Push a blob in one request, or in two where a registry does not know that way."""
        digest = digest_of(data)
        first = reply = self._ask("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", data)
        if reply.status == 202:
            path = _path(reply)
            reply = self._ask("PUT", f"{path}{'&' if '?' in path else '?'}digest={digest}", data)
        if self._done(reply, 201):
            self._note(("blob", repository, digest), Act.WRITE, True, Reply(reply.answer, first.called, reply.answered))

    def _new_manifest(self, *, subject: str | None = None) -> tuple[bytes, str]:
        self._made += 1
        data = manifest(f"{self._name} {self._made}", subject=subject)
        return data, digest_of(data)

    def _ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        self._log.requests += 1
        called = time.monotonic()
        try:
            answer = self._wire.ask(method, path, body, headers or {})
        except OSError:
            self._log.broken += 1
            return Reply(None, called, NEVER)
        reply = Reply(answer, called, time.monotonic())
        if reply.unknown:
            self._log.unexpected[f"{method} answered {answer.status}"] += 1
            return Reply(answer, called, NEVER)
        return reply

    def _done(self, reply: Reply, expected: int) -> bool:
        """Return whether the request took or may have taken effect; record an unexpected answer."""
        if reply.status == expected or reply.unknown:
            return True
        self._log.unexpected[f"{reply.status} where {expected} was due"] += 1
        return False

    def _note(self, key: Key, act: Act, value: Value, reply: Reply) -> None:
        if reply.answered != NEVER or act in {Act.WRITE, Act.ERASE, Act.CLEAR}:
            self._log.operations.append((key, Operation(act, value, reply.called, reply.answered)))


def _path(reply: Reply) -> str:
    """Return where a session is, without the host that some registries name."""
    location = reply.answer.headers.get("location", "") if reply.answer is not None else ""
    return location[location.index("/v2/") :] if "/v2/" in location else "/v2/"


WORK: Mapping[Callable[[Client], None], int] = {
    Client.read_tag: 46,
    Client.move_tag: 10,
    Client.delete_tag: 3,
    Client.delete_what_a_tag_pointed_at: 5,
    Client.read_shared: 8,
    Client.push_shared: 3,
    Client.delete_shared: 3,
    Client.push_referrer: 1,
    Client.read_blob: 10,
    Client.push_blob: 3,
    Client.mount_blob: 3,
    Client.delete_blob: 3,
    Client.list_tags: 1,
    Client.list_referrers: 1,
}
"""What clients do, and how often."""
