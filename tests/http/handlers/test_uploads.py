"""Pushing blobs in every way, and everything that can go wrong on the way."""

import asyncio
import re

import pytest

from simple_registry.access.policy import Allowed, Refused
from simple_registry.config.settings import Limits, Settings
from simple_registry.oci.digests import digest_of
from simple_registry.operations import session_turns
from support.access import READWRITE, binding, decided_by, rules

DATA = bytes(range(256)) * 8
DIGEST = digest_of(DATA)
UPLOADS = "/v2/team/app/blobs/uploads/"


def chunk(data, start=0):
    return {"body": data, "headers": {"content-range": f"{start}-{start + len(data) - 1}"}}


def holds(front, data, repository="team/app", algorithm="sha256"):
    return front.get(f"/v2/{repository}/blobs/{digest_of(data, algorithm)}").body == data


def lacks(front, data, repository="team/app"):
    return front.head(f"/v2/{repository}/blobs/{digest_of(data)}").status == 404


# ---------------------------------------------------------------- sessions


@pytest.mark.parametrize("path", [UPLOADS, UPLOADS.rstrip("/")])
def test_a_session_has_a_relative_location_with_a_uuid_and_has_received_nothing(front, path):
    reply = front.post(path)
    assert reply.status == 202
    assert reply.header("range") == "0-0"
    assert re.fullmatch(r"/v2/team/app/blobs/uploads/[0-9a-f-]{36}", reply.location)
    assert reply.location.endswith(reply.header("docker-upload-uuid"))


def test_a_post_with_a_type_and_no_body_opens_a_session(memory_front):
    assert memory_front.post(UPLOADS, headers={"content-type": "application/json"}).status == 202


def test_an_open_session_makes_no_repository(front):
    front.open_session("team/app")
    assert front.get("/v2/team/app/tags/list").status == 404


def test_a_session_reports_what_it_received(front):
    location = front.open_session("team/app")
    front.patch(location, body=DATA)
    reply = front.get(location)
    assert (reply.status, reply.header("range"), reply.location) == (204, f"0-{len(DATA) - 1}", location)


def test_a_cancelled_session_is_removed(front):
    location = front.open_session("team/app")
    front.patch(location, body=DATA)
    assert front.delete(location).status == 204
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        reply = front.request(method, f"{location}?digest={DIGEST}")
        assert (reply.status, reply.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])
    assert lacks(front, DATA)


def test_a_session_that_was_never_used_leaves_nothing_when_it_is_cancelled(front):
    with front.unchanged():
        front.delete(front.open_session("team/app"))


@pytest.mark.parametrize(
    "session", ["7d9f", "00000000-0000-0000-0000-000000000000", "%00", "..", "a" * 5000, "%E2%82%AC"]
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_an_unknown_session_is_unknown(memory_front, session, method):
    with memory_front.unchanged():
        reply = memory_front.request(
            method, f"{UPLOADS}{session}?digest={DIGEST}", body=b"" if method == "GET" else b"x"
        )
    assert (reply.status, reply.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])


def test_a_session_belongs_to_its_repository(front):
    location = front.open_session("team/app")
    foreign = location.replace("team/app", "team/other")
    with front.unchanged():
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            assert front.request(method, f"{foreign}?digest={DIGEST}").codes == ["BLOB_UPLOAD_UNKNOWN"]


def test_a_session_belongs_to_the_identity_that_opened_it(make_front):
    class Everything:
        def decide(self, _identity, _permission):
            return Allowed("yes")

    front = make_front(rules=decided_by(Everything(), users=["eve"]))
    location = front.open_session("team/app")
    front.patch(location, body=DATA)
    with front.unchanged():
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            reply = front.request(method, f"{location}?digest={DIGEST}", user="eve")
            assert (reply.status, reply.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])
    assert front.put(f"{location}?digest={DIGEST}").status == 201


def test_more_sessions_than_allowed_are_asked_to_come_back(make_front):
    front = make_front(Settings(limits=Limits(sessions=2)))
    locations = [front.open_session("team/app") for _ in range(2)]
    for location in locations:
        front.patch(location, body=DATA)
    with front.unchanged():
        reply = front.post(UPLOADS)
    assert (reply.status, reply.codes, reply.header("retry-after")) == (429, ["TOOMANYREQUESTS"], "1")
    front.delete(locations[0])
    assert front.post(UPLOADS).status == 202


def test_one_pusher_leaves_sessions_for_others(make_front):
    front = make_front(
        Settings(limits=Limits(sessions=10, sessions_per_identity=2)),
        rules=rules(binding("bob", READWRITE, "^bob/"), binding("ada", READWRITE, "^ada/"), users=["bob", "ada"]),
    )
    for _ in range(2):
        location = front.post("/v2/bob/app/blobs/uploads/", user="bob").location
        front.patch(location, body=DATA, user="bob")
    with front.unchanged():
        reply = front.post("/v2/bob/app/blobs/uploads/", user="bob")
    assert (reply.status, reply.codes, reply.header("retry-after")) == (429, ["TOOMANYREQUESTS"], "1")
    assert front.post("/v2/ada/app/blobs/uploads/", user="ada").status == 202
    assert front.post("/v2/bob/app/blobs/uploads/").status == 202


@pytest.mark.parametrize(
    ("address", "neighbour", "stranger"),
    [("192.0.2.1", "192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1")],
)
def test_anonymous_callers_have_a_share_for_each_address(make_front, address, neighbour, stranger):
    front = make_front(
        Settings(limits=Limits(sessions_per_identity=1)),
        rules=rules(binding("anonymous", READWRITE, ""), users=["anonymous"]),
    )
    location = front.post(UPLOADS, user=None, client=address).location
    front.patch(location, body=DATA, user=None, client=stranger)
    assert front.post(UPLOADS, user=None, client=neighbour).status == 429
    assert front.post(UPLOADS, user=None, client=stranger).status == 202
    assert front.post(UPLOADS, client=address).status == 202
    assert front.put(f"{location}?digest={DIGEST}", user=None, client=neighbour).status == 201


def test_the_oldest_empty_session_makes_room_for_a_new_one(make_front, clock):
    front = make_front(Settings(limits=Limits(sessions_per_identity=2)))
    oldest = front.open_session("team/app")
    clock.advance(1)
    younger = front.open_session("team/app")
    newest = front.open_session("team/app")
    assert [front.get(location).status for location in (oldest, younger, newest)] == [404, 204, 204]


def test_a_session_expires(front, clock):
    location = front.open_session("team/app")
    front.patch(location, body=DATA)
    clock.advance(24 * 3600 + 1)
    front.run(front.services.garbage.collect())
    assert front.patch(location, body=DATA).codes == ["BLOB_UPLOAD_UNKNOWN"]


# ---------------------------------------------------------------- the ways to push


@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_post_then_put(front, data):
    location = front.open_session("team/app")
    reply = front.put(f"{location}?digest={digest_of(data)}", body=data)
    assert (reply.status, reply.location) == (201, f"/v2/team/app/blobs/{digest_of(data)}")
    assert reply.header("docker-content-digest") == str(digest_of(data))
    assert front.get(reply.location).body == data
    assert front.get(location).status == 404


@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_a_single_post(front, data):
    reply = front.post(f"{UPLOADS}?digest={digest_of(data)}", body=data)
    assert (reply.status, reply.location) == (201, f"/v2/team/app/blobs/{digest_of(data)}")
    assert front.get(reply.location).body == data


def test_one_streamed_patch_and_an_empty_put(front):
    location = front.open_session("team/app")
    patched = front.patch(location, body=[DATA[:100], DATA[100:1000], DATA[1000:]])
    assert (patched.status, patched.header("range")) == (202, f"0-{len(DATA) - 1}")
    assert front.put(f"{patched.location}?digest={DIGEST}").status == 201
    assert holds(front, DATA)


@pytest.mark.parametrize("last", ["patch", "put"])
@pytest.mark.parametrize("size", [1, 300, 1024])
def test_chunks_in_order(memory_front, size, last):
    data = DATA[:1500] if size > 1 else DATA[:20]
    location = memory_front.open_session("team/app")
    starts = list(range(0, len(data), size))
    for start in starts if last == "patch" else starts[:-1]:
        part = data[start : start + size]
        reply = memory_front.patch(location, **chunk(part, start))
        assert (reply.status, reply.header("range")) == (202, f"0-{start + len(part) - 1}")
        location = reply.location
    closing = chunk(data[starts[-1] :], starts[-1]) if last == "put" else {}
    assert memory_front.put(f"{location}?digest={digest_of(data)}", **closing).status == 201
    assert holds(memory_front, data)


def test_chunks_in_order_on_every_store(front):
    location = front.open_session("team/app")
    for start in range(0, len(DATA), 512):
        location = front.patch(location, **chunk(DATA[start : start + 512], start)).location
    assert front.put(f"{location}?digest={DIGEST}").status == 201
    assert holds(front, DATA)


@pytest.mark.parametrize("form", ["{}-{}", "bytes {}-{}/*", "bytes {}-{}/2048"])
def test_chunks_name_their_place_in_any_form_that_clients_send(memory_front, form):
    location = memory_front.open_session("team/app")
    headers = {"content-range": form.format(0, len(DATA) - 1)}
    assert memory_front.patch(location, body=DATA, headers=headers).status == 202
    assert memory_front.put(f"{location}?digest={DIGEST}").status == 201


def test_chunks_without_a_place_are_appended(front):
    location = front.open_session("team/app")
    front.patch(location, body=DATA[:7])
    front.patch(location, body=DATA[7:])
    assert front.put(f"{location}?digest={DIGEST}").status == 201


def test_a_blob_that_exists_can_be_pushed_again_in_every_way(front):
    front.push_blob("team/app", DATA)
    front.push_blob("team/app", DATA)
    front.push_blob("team/other", DATA)
    location = front.open_session("team/app")
    front.patch(location, body=DATA)
    assert front.put(f"{location}?digest={DIGEST}").status == 201
    assert holds(front, DATA)
    assert holds(front, DATA, "team/other")


def test_the_location_keeps_no_host(memory_front):
    reply = memory_front.post(UPLOADS, headers={"host": "registry.example.org:5000"})
    assert reply.location.startswith("/v2/")


# ---------------------------------------------------------------- order


@pytest.mark.parametrize("start", [0, 1, 99, 101, 5000, 10**17])
@pytest.mark.parametrize("closing", [False, True])
def test_a_chunk_out_of_order_is_416_and_reports_where_to_continue(front, start, closing):
    location = front.open_session("team/app")
    front.patch(location, body=DATA[:100])
    with front.unchanged():
        if closing:
            reply = front.put(f"{location}?digest={DIGEST}", **chunk(DATA[100:], start))
        else:
            reply = front.patch(location, **chunk(DATA[100:], start))
    assert (reply.status, reply.codes) == (416, ["BLOB_UPLOAD_INVALID"])
    assert (reply.location, reply.header("range")) == (location, "0-99")
    assert front.put(f"{location}?digest={DIGEST}", **chunk(DATA[100:], 100)).status == 201
    assert holds(front, DATA)


def test_the_first_chunk_begins_at_zero(front):
    location = front.open_session("team/app")
    with front.unchanged():
        reply = front.patch(location, **chunk(DATA, 1))
    assert (reply.status, reply.location, reply.header("range")) == (416, location, "0-0")


@pytest.mark.parametrize("header", ["", "x", "5-4", "bytes=0-3", "0-", "0-3,5-6", "\u0660-\u0663"])
def test_a_place_that_cannot_be_read_is_refused(memory_front, header):
    location = memory_front.open_session("team/app")
    with memory_front.unchanged():
        reply = memory_front.patch(location, body=b"four", headers={"content-range": header})
    assert (reply.status, reply.codes) == (400, ["BLOB_UPLOAD_INVALID"])


# ---------------------------------------------------------------- digests


@pytest.mark.parametrize("way", ["put", "patch", "post"])
def test_a_wrong_digest_leaves_neither_blob_nor_session(front, way):
    wrong = digest_of(b"something else")
    before = front.kept.snapshot()
    if way == "post":
        reply = front.post(f"{UPLOADS}?digest={wrong}", body=DATA)
    else:
        location = front.open_session("team/app")
        if way == "patch":
            front.patch(location, body=DATA)
        reply = front.put(f"{location}?digest={wrong}", body=b"" if way == "patch" else DATA)
        assert front.get(location).status == 404
    assert (reply.status, reply.codes) == (400, ["DIGEST_INVALID"])
    assert reply.json["errors"][0]["detail"] == {"expected": str(wrong), "actual": str(DIGEST)}
    assert front.kept.snapshot() == before


@pytest.mark.parametrize(
    "digest", ["", "sha256:short", "md5:" + "0" * 32, str(DIGEST) + "%0A", str(DIGEST).upper(), "x"]
)
def test_a_malformed_digest_is_refused_and_the_session_stays(memory_front, digest):
    location = memory_front.open_session("team/app")
    with memory_front.unchanged():
        for reply in (
            memory_front.put(f"{location}?digest={digest}", body=DATA),
            memory_front.post(f"{UPLOADS}?digest={digest}", body=DATA),
        ):
            assert (reply.status, reply.codes) == (400, ["DIGEST_INVALID"])
    assert memory_front.put(f"{location}?digest={DIGEST}", body=DATA).status == 201


def test_the_closing_put_needs_a_digest(memory_front):
    location = memory_front.open_session("team/app")
    with memory_front.unchanged():
        reply = memory_front.put(location, body=DATA)
    assert (reply.status, reply.codes) == (400, ["DIGEST_INVALID"])


@pytest.mark.parametrize("query", ["", "?digest-algorithm=sha512", "?digest-algorithm=sha256"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_session_can_end_with_a_digest_of_either_algorithm(front, query, algorithm):
    location = front.open_session("team/app", query)
    front.patch(location, body=DATA[:1000])
    front.patch(location, body=DATA[1000:])
    reply = front.put(f"{location}?digest={digest_of(DATA, algorithm)}")
    assert (reply.status, reply.header("docker-content-digest")) == (201, str(digest_of(DATA, algorithm)))
    assert holds(front, DATA, algorithm=algorithm)


@pytest.mark.parametrize("data", [b"", DATA])
def test_a_single_post_takes_sha512(front, data):
    front.push_blob("team/app", data, "sha512")
    assert holds(front, data, algorithm="sha512")


@pytest.mark.parametrize("name", ["", "md5", "SHA256", "sha256%0A", "x" * 1000])
@pytest.mark.parametrize("beside", ["", f"&digest={DIGEST}", f"&mount={DIGEST}"])
def test_an_unsupported_algorithm_is_refused(memory_front, name, beside):
    with memory_front.unchanged():
        reply = memory_front.post(f"{UPLOADS}?digest-algorithm={name}{beside}", body=DATA)
    assert (reply.status, reply.codes) == (400, ["DIGEST_INVALID"])


@pytest.mark.parametrize(
    "query",
    [
        f"digest={DIGEST}&digest={digest_of(b'other')}",
        f"digest={DIGEST}&digest=",
        f"mount={DIGEST}&mount={digest_of(b'other')}",
        f"mount={DIGEST}&from=a&from=b",
        "digest-algorithm=sha256&digest-algorithm=sha512",
    ],
)
def test_a_parameter_that_contradicts_itself_is_refused(memory_front, query):
    location = memory_front.open_session("team/app")
    memory_front.push_blob("a", DATA)
    with memory_front.unchanged():
        replies = [memory_front.post(f"{UPLOADS}?{query}", body=DATA)]
        if query.startswith("digest="):
            replies.append(memory_front.put(f"{location}?{query}", body=DATA))
    assert {(reply.status, *reply.codes) for reply in replies} == {(400, "UNSUPPORTED")}


def test_a_parameter_that_repeats_itself_is_one(memory_front):
    assert memory_front.post(f"{UPLOADS}?digest={DIGEST}&digest={DIGEST}", body=DATA).status == 201


# ---------------------------------------------------------------- lengths


def test_two_lengths_that_differ_are_refused_before_a_byte_is_read(memory_front):
    location = memory_front.open_session("team/app")
    with memory_front.unchanged():
        reply = memory_front.patch(location, body=DATA, headers={"content-range": "0-9"})
    assert (reply.status, reply.codes, reply.taken) == (400, ["SIZE_INVALID"], 0)


@pytest.mark.parametrize("sent", [DATA[:50], DATA[:150]])
def test_a_stream_of_another_length_than_its_range_is_refused(front, sent):
    location = front.open_session("team/app")
    front.patch(location, body=b"before")
    with front.unchanged():
        reply = front.patch(location, body=[sent], headers={"content-range": "6-105"})
        assert (reply.status, reply.codes) == (400, ["SIZE_INVALID"])
    front.patch(location, body=b" after")
    assert front.put(f"{location}?digest={digest_of(b'before after')}").status == 201


@pytest.mark.parametrize("way", ["patch", "put", "post"])
def test_an_interrupted_body_changes_nothing(front, way):
    location = front.open_session("team/app")
    front.patch(location, body=b"before")
    how = {"body": [DATA[:100], DATA[100:500]], "headers": {"content-length": str(len(DATA))}}
    with front.unchanged():
        if way == "patch":
            reply = front.patch(location, **how)
        elif way == "put":
            reply = front.put(f"{location}?digest={digest_of(b'before' + DATA)}", **how)
        else:
            reply = front.post(f"{UPLOADS}?digest={DIGEST}", **how)
    assert (reply.status, reply.codes) == (400, ["SIZE_INVALID"])
    assert front.get(location).header("range") == "0-5"
    assert front.put(f"{location}?digest={digest_of(b'before' + DATA)}", body=DATA).status == 201


def test_a_stream_that_breaks_is_taken_back(front):
    location = front.open_session("team/app")
    front.patch(location, body=b"before")

    async def broken():
        yield DATA
        raise ConnectionResetError

    with front.unchanged():
        assert front.patch(location, body=broken()).status == 500
    assert front.put(f"{location}?digest={digest_of(b'before')}").status == 201


# ---------------------------------------------------------------- two at once


@pytest.mark.parametrize(("method", "status"), [("PATCH", 202), ("PUT", 201), ("DELETE", 204)])
def test_a_newer_request_ends_one_whose_client_went_silent(front, method, status):
    location = front.open_session("team/app")
    front.patch(location, body=DATA[:100])
    rest = {"body": b""} if method == "DELETE" else chunk(DATA[100:], 100)

    async def scenario():
        started = asyncio.Event()

        async def silent():
            yield b"lost"
            started.set()
            await asyncio.Event().wait()

        first = asyncio.ensure_future(front.send("PATCH", location, body=silent()))
        await started.wait()
        look = await front.send("GET", location)
        second = await front.send(method, f"{location}?digest={DIGEST}", **rest)
        return await first, second, look

    first, second, look = front.run(scenario())
    assert look.header("range") == "0-99"
    assert second.status == status
    assert (first.status, first.codes) == (409, ["BLOB_UPLOAD_INVALID"])
    assert "a newer request" in first.json["errors"][0]["message"]
    assert (first.location, first.header("range"), first.header("retry-after")) == (location, "0-99", None)
    if method == "PATCH":
        assert second.header("range") == f"0-{len(DATA) - 1}"
        assert front.put(f"{location}?digest={DIGEST}").status == 201
    assert lacks(front, DATA) if method == "DELETE" else holds(front, DATA)


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_a_session_that_stays_held_reports_what_it_received_and_when_to_retry(front, method, monkeypatch):
    monkeypatch.setattr(session_turns, "MAX_ATTEMPTS", 2)
    location = front.open_session("team/app")
    front.patch(location, body=DATA[:100])
    session = location.rpartition("/")[2]

    async def scenario():
        async with front.kept.stores.rows.sessions.hold(session):
            return await front.send(method, f"{location}?digest={DIGEST}", body=b"")

    reply = front.run(scenario())
    assert (reply.status, reply.codes) == (409, ["BLOB_UPLOAD_INVALID"])
    assert (reply.location, reply.header("range"), reply.header("retry-after")) == (location, "0-99", "1")
    assert front.put(f"{location}?digest={DIGEST}", **chunk(DATA[100:], 100)).status == 201


def test_many_clients_push_one_blob_at_once(front):
    names = [f"team/{number}" for number in range(20)]
    pushes = [front.send("POST", f"/v2/{name}/blobs/uploads/?digest={DIGEST}", body=DATA) for name in names]
    assert {reply.status for reply in front.together(*pushes)} == {201}
    assert all(holds(front, DATA, name) for name in names)


def test_sessions_side_by_side_do_not_mix(front):
    data = [bytes([number]) * 1000 for number in range(8)]
    locations = [front.open_session("team/app") for _ in data]
    front.together(
        *(front.send("PATCH", at, body=[part[:10], part[10:]]) for at, part in zip(locations, data, strict=True))
    )
    puts = [front.send("PUT", f"{at}?digest={digest_of(part)}") for at, part in zip(locations, data, strict=True)]
    assert {reply.status for reply in front.together(*puts)} == {201}
    assert all(holds(front, part) for part in data)


def test_two_closing_puts_end_in_one_blob(front):
    location = front.open_session("team/app")
    front.patch(location, body=DATA)
    puts = [front.send("PUT", f"{location}?digest={DIGEST}") for _ in range(2)]
    statuses = sorted(reply.status for reply in front.together(*puts))
    assert statuses[0] == 201
    assert statuses[1] in {404, 409}
    assert holds(front, DATA)


# ---------------------------------------------------------------- mounts


def mount(front, digest=DIGEST, source=None, repository="team/app", **how):
    query = f"?mount={digest}" + ("" if source is None else f"&from={source}")
    return front.post(f"/v2/{repository}/blobs/uploads/{query}", **how)


@pytest.mark.parametrize("source", ["team/base", None])
def test_a_blob_is_mounted_with_and_without_its_source(front, source):
    front.push_blob("team/base", DATA)
    reply = mount(front, source=source)
    assert (reply.status, reply.location) == (201, f"/v2/team/app/blobs/{DIGEST}")
    assert reply.header("docker-content-digest") == str(DIGEST)
    assert holds(front, DATA)


def test_a_mounted_blob_survives_the_deletion_of_its_source(front):
    front.push_blob("team/base", DATA)
    mount(front, source="team/base")
    front.delete(f"/v2/team/base/blobs/{DIGEST}")
    assert holds(front, DATA)


@pytest.mark.parametrize("source", ["team/none", "team", "team/base/sub", "UPPER", "", "..%2Fbase"])
def test_a_mount_that_cannot_be_is_a_session(front, source):
    front.push_blob("team/base", DATA)
    reply = mount(front, source=source)
    assert (reply.status, reply.header("range")) == (202, "0-0")
    assert lacks(front, DATA)
    assert front.put(f"{reply.location}?digest={DIGEST}", body=DATA).status == 201


def test_an_anonymous_mount_of_absent_content_is_a_session(front):
    assert mount(front).status == 202


@pytest.mark.parametrize("digest", ["", "x", "sha256:short"])
def test_a_mount_of_a_malformed_digest_is_refused(memory_front, digest):
    with memory_front.unchanged():
        reply = mount(memory_front, digest=digest, source="team/base")
    assert (reply.status, reply.codes) == (400, ["DIGEST_INVALID"])


@pytest.mark.parametrize("source", ["team/hidden", None])
def test_an_unreadable_source_answers_like_an_absent_one(make_front, source):
    class Hidden:
        def decide(self, identity, permission):
            if identity.name == "eve" and permission.scope.startswith("team/hidden"):
                return Refused(lambda: "hidden")
            return Allowed("yes")

    front = make_front(rules=decided_by(Hidden(), users=["eve"]))
    front.push_blob("team/hidden", DATA)
    refused = mount(front, source=source, user="eve")
    absent = mount(front, source="team/none", user="eve")
    assert refused.status == absent.status == 202
    assert {name for name, _ in refused.headers} == {name for name, _ in absent.headers}
    assert lacks(front, DATA)
    assert mount(front, source=source).status == 201


def test_an_anonymous_mount_finds_a_source_behind_hidden_ones(make_front):
    class Hidden:
        def decide(self, identity, permission):
            hidden = identity.name == "eve" and permission.scope.startswith("a/")
            return Refused(lambda: "hidden") if hidden else Allowed("yes")

    front = make_front(rules=decided_by(Hidden(), users=["eve"]))
    for repository in ("a/1", "a/2", "b/1"):
        front.push_blob(repository, DATA)
    assert mount(front, user="eve").status == 201


def test_a_session_of_a_failed_mount_can_be_cancelled(front):
    reply = mount(front, source="team/none")
    assert front.delete(reply.location).status == 204


def test_a_manifest_cannot_be_mounted_as_a_blob(front):
    data = b'{"schemaVersion":2,"manifests":[]}'
    digest = front.push_manifest("team/base", "v1", data, "application/vnd.oci.image.index.v1+json")
    assert mount(front, digest=digest, source="team/base").status == 202
