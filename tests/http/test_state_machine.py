"""Pushes, deletes, mounts, listings and collections in any order, compared with a model that fits on two screens.

What is needed never vanishes; what is unneeded or deleted vanishes after the grace, parts not before their manifest.
"""

import contextlib

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simple_registry.oci import media_types
from simple_registry.oci.digests import digest_of
from support.documents import encode, image, index
from support.front import Front
from support.stores import in_memory
from support.time import SettableClock

repositories = st.sampled_from(["a", "a/b", "c"])
blobs = st.sampled_from([b"{}", b"one", b"two"])
tags = st.sampled_from(["latest", "v1", "v2"])
SUBJECT = encode(index())
MANIFESTS = [
    (encode(image()), [b"{}"], media_types.OCI_IMAGE_MANIFEST),
    (encode(image(b"one")), [b"{}", b"one"], media_types.OCI_IMAGE_MANIFEST),
    (
        encode(image(b"two", subject={"mediaType": "a/b", "digest": str(digest_of(SUBJECT)), "size": len(SUBJECT)})),
        [b"{}", b"two"],
        media_types.OCI_IMAGE_MANIFEST,
    ),
    (SUBJECT, [], media_types.OCI_IMAGE_INDEX),
]
REFERRER = MANIFESTS[2][0]
PARTS = {data: parts for data, parts, _ in MANIFESTS}
SESSION_LIFE = GRACE = 24 * 3600
NEEDED, UNNEEDED, DELETED = "needed", "unneeded", "deleted"
manifests = st.sampled_from(MANIFESTS)


def _all_visible(holdings, repository):
    return [data for data, (state, _) in holdings.get(repository, {}).items() if state != DELETED]


def _visible(holdings, repository, data):
    return data in _all_visible(holdings, repository)


def _due(holdings, before):
    return [
        (repository, data)
        for repository, held in holdings.items()
        for data, (state, since) in held.items()
        if state != NEEDED and since < before
    ]


class Registry(RuleBasedStateMachine):
    """The model: what each repository holds, in which state and since when. Dictionaries, nothing clever."""

    @initialize()
    def begin(self):
        self.resources = contextlib.ExitStack()
        self.clock = SettableClock()
        self.front = self.resources.enter_context(Front(in_memory(self.clock), self.clock))
        self.blobs = {}
        self.manifests = {}
        self.tags = {}
        self.sessions = {}

    def teardown(self):
        if hasattr(self, "resources"):
            self.resources.close()

    def holds(self, repository, data):
        return _visible(self.blobs, repository, data)

    def needs(self, repository, data):
        held = self.manifests.get(repository, {})
        return any(state == NEEDED and data in PARTS[each] for each, (state, _) in held.items())

    def keep_blob(self, repository, data):
        state = NEEDED if self.needs(repository, data) else UNNEEDED
        self.blobs.setdefault(repository, {})[data] = (state, self.clock.now())

    # ------------------------------------------------------------ blobs

    @rule(repository=repositories, data=blobs)
    def push_blob(self, repository, data):
        self.front.push_blob(repository, data)
        self.keep_blob(repository, data)

    @rule(repository=repositories, data=blobs)
    def push_blob_with_a_wrong_digest(self, repository, data):
        with self.front.unchanged():
            reply = self.front.post(f"/v2/{repository}/blobs/uploads/?digest={digest_of(b'wrong')}", body=data)
        assert reply.status == 400

    @rule(repository=repositories, data=blobs)
    def delete_blob(self, repository, data):
        needed = self.needs(repository, data)
        reply = self.front.delete(f"/v2/{repository}/blobs/{digest_of(data)}")
        assert reply.status == ((409 if needed else 202) if self.holds(repository, data) else 404)
        if self.holds(repository, data) and not needed:
            self.blobs[repository][data] = (DELETED, self.clock.now())

    @rule(repository=repositories, data=blobs)
    def look_for_blob(self, repository, data):
        reply = self.front.head(f"/v2/{repository}/blobs/{digest_of(data)}")
        assert reply.status == (200 if self.holds(repository, data) else 404)
        if self.holds(repository, data) and self.blobs[repository][data][0] == UNNEEDED:
            self.blobs[repository][data] = (UNNEEDED, self.clock.now())

    @rule(repository=repositories, data=blobs, source=st.none() | repositories)
    def mount_blob(self, repository, data, source):
        query = f"?mount={digest_of(data)}" + (f"&from={source}" if source else "")
        reply = self.front.post(f"/v2/{repository}/blobs/uploads/{query}")
        if any(self.holds(holder, data) for holder in ([source] if source else list(self.blobs))):
            assert reply.status == 201
            self.keep_blob(repository, data)
        else:
            assert reply.status == 202
            assert self.front.delete(reply.location).status == 204

    # ------------------------------------------------------------ sessions

    @rule(repository=repositories)
    def open_session(self, repository):
        self.sessions[self.front.open_session(repository)] = (repository, b"", self.clock.now())

    @precondition(lambda self: self.sessions)
    @rule(choice=st.randoms(use_true_random=False), data=st.binary(min_size=1, max_size=5), jump=st.integers(0, 2))
    def append(self, choice, data, jump):
        location = choice.choice(sorted(self.sessions))
        repository, received, _ = self.sessions[location]
        start = len(received) + jump
        reply = self.front.patch(location, body=data, headers={"content-range": f"{start}-{start + len(data) - 1}"})
        assert reply.status == (416 if jump else 202)
        if not jump:
            self.sessions[location] = (repository, received + data, self.clock.now())
        assert reply.header("range") == f"0-{max(len(self.sessions[location][1]) - 1, 0)}"

    @precondition(lambda self: self.sessions)
    @rule(choice=st.randoms(use_true_random=False), honest=st.booleans())
    def finish(self, choice, honest):
        location = choice.choice(sorted(self.sessions))
        repository, received, _ = self.sessions.pop(location)
        reply = self.front.put(f"{location}?digest={digest_of(received if honest else received + b'!')}")
        assert reply.status == (201 if honest else 400)
        assert self.front.get(location).status == 404
        if honest:
            self.keep_blob(repository, received)

    # ------------------------------------------------------------ manifests

    @rule(repository=repositories, manifest=manifests, tag=st.none() | tags, further=st.lists(tags, max_size=2))
    def push_manifest(self, repository, manifest, tag, further):
        data, parts, kind = manifest
        target = f"/v2/{repository}/manifests/{tag or digest_of(data)}?" + "&".join(f"tag={each}" for each in further)
        missing = [part for part in parts if not self.holds(repository, part)]
        guard = self.front.unchanged() if missing else contextlib.nullcontext()
        with guard:
            reply = self.front.put(target, body=data, headers={"content-type": kind})
        if missing:
            assert reply.status == 404
            assert reply.codes == ["MANIFEST_BLOB_UNKNOWN"] * len(missing)
            return
        assert reply.status == 201
        self.manifests.setdefault(repository, {})[data] = (NEEDED, 0)
        for part in parts:
            self.blobs[repository][part] = (NEEDED, 0)
        for each in [*([tag] if tag else []), *further]:
            self.tags.setdefault(repository, {})[each] = data

    @rule(repository=repositories, tag=tags)
    def delete_tag(self, repository, tag):
        found = self.tags.get(repository, {}).pop(tag, None)
        assert self.front.delete(f"/v2/{repository}/manifests/{tag}").status == (202 if found else 404)

    @rule(repository=repositories, manifest=manifests)
    def delete_manifest(self, repository, manifest):
        data = manifest[0]
        found = _visible(self.manifests, repository, data)
        assert self.front.delete(f"/v2/{repository}/manifests/{digest_of(data)}").status == (202 if found else 404)
        if found:
            self.manifests[repository][data] = (DELETED, self.clock.now())
            for part in PARTS[data]:
                if self.blobs[repository].get(part, ("", 0))[0] == NEEDED and not self.needs(repository, part):
                    self.blobs[repository][part] = (UNNEEDED, self.clock.now())
        kept = {tag: pointed for tag, pointed in self.tags.get(repository, {}).items() if pointed != data}
        self.tags[repository] = kept

    @rule(hours=st.sampled_from([0, 1, 12, 30]))
    def collect_garbage(self, hours):
        self.clock.advance(hours * 3600)
        self.front.run(self.front.services.garbage.collect())
        for repository, data in _due(self.manifests, self.clock.now() - GRACE):
            del self.manifests[repository][data]
        for repository, data in _due(self.blobs, self.clock.now() - GRACE):
            state, _ = self.blobs[repository][data]
            holders = [holder for each, holder in self.manifests.get(repository, {}).items() if data in PARTS[each]]
            waits = [since for holder, since in holders if holder != NEEDED or state != DELETED]
            if waits:
                self.blobs[repository][data] = (state, max(waits) + 0.001)
            else:
                del self.blobs[repository][data]
        oldest = self.clock.now() - SESSION_LIFE
        self.sessions = {location: session for location, session in self.sessions.items() if session[2] >= oldest}

    # ------------------------------------------------------------ what must always hold

    @invariant()
    def listings_agree_with_the_model(self):
        listed = self.front.get("/v2/_catalog").json["repositories"]
        assert listed == sorted(name for name in self.manifests if _all_visible(self.manifests, name))
        for repository in ("a", "a/b", "c"):
            reply = self.front.get(f"/v2/{repository}/tags/list")
            known = _all_visible(self.manifests, repository)
            assert reply.status == (200 if known else 404)
            if known:
                assert reply.json["tags"] == sorted(self.tags.get(repository, {}))
            referrers = self.front.get(f"/v2/{repository}/referrers/{digest_of(SUBJECT)}").json["manifests"]
            expected = [str(digest_of(REFERRER))] if _visible(self.manifests, repository, REFERRER) else []
            assert [each["digest"] for each in referrers] == expected

    @invariant()
    def acknowledged_content_can_be_pulled(self):
        for repository in self.blobs:
            for data in _all_visible(self.blobs, repository):
                assert self.front.get(f"/v2/{repository}/blobs/{digest_of(data)}").body == data
        for repository in self.manifests:
            for data in _all_visible(self.manifests, repository):
                assert self.front.get(f"/v2/{repository}/manifests/{digest_of(data)}").body == data
        for repository, pointed in self.tags.items():
            for tag, data in pointed.items():
                assert self.front.get(f"/v2/{repository}/manifests/{tag}").body == data
        for location, (_, received, _touched) in self.sessions.items():
            assert self.front.get(location).header("range") == f"0-{max(len(received) - 1, 0)}"


Registry.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
test_the_registry_is_its_model = Registry.TestCase
