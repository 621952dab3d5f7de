"""Pulling and deleting blobs, whole and in parts."""

import email

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from simple_registry.oci.digests import digest_of
from support import front
from support.content import Streamed
from support.front import Front
from support.stores import in_memory
from support.time import SettableClock

DATA = bytes(range(256)) * 40
DIGEST = digest_of(DATA)
PATH = f"/v2/team/app/blobs/{DIGEST}"


@pytest.fixture
def blob(front):
    front.push_blob("team/app", DATA)
    return front


def test_a_blob_comes_back_as_it_was_pushed(blob):
    reply = blob.get(PATH)
    assert (reply.status, reply.body) == (200, DATA)
    assert reply.header("content-type") == "application/octet-stream"
    assert reply.header("content-length") == str(len(DATA))
    assert reply.header("docker-content-digest") == str(DIGEST)
    assert reply.header("etag") == f'"{DIGEST}"'
    assert reply.header("accept-ranges") == "bytes"
    assert "immutable" in reply.header("cache-control")


def test_a_condition_is_about_the_blob_of_this_repository(blob):
    mine, other = f'"{DIGEST}"', f'"{digest_of(b"other")}"'
    for method in ("GET", "HEAD"):
        answers = [blob.request(method, PATH, headers={"if-match": value}).status for value in (mine, "*", other, "x")]
        assert answers == [200, 200, 412, 400]
    with blob.unchanged():
        for conditions in ({"if-match": other}, {"if-none-match": "*"}, {"if-none-match": mine}):
            assert blob.delete(PATH, headers=conditions).status == 412
        assert blob.delete(PATH.replace("app", "other"), headers={"if-match": other}).codes == ["BLOB_UNKNOWN"]
    assert blob.delete(PATH, headers={"if-match": mine, "if-none-match": other}).status == 202


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_head_answers_as_get_does(front, data, algorithm):
    digest = front.push_blob("team/app", data, algorithm)
    got, head = (front.request(method, f"/v2/team/app/blobs/{digest}") for method in ("GET", "HEAD"))
    assert got.body == data
    assert (head.status, head.stable_headers) == (got.status, got.stable_headers)


def test_head_reads_no_content(blob, monkeypatch):
    def read(*_):
        raise AssertionError("the content was read")

    monkeypatch.setattr(front, "_bytes_of", read)
    assert blob.head(PATH).status == 200


def test_a_blob_of_another_repository_is_unknown_here(blob):
    for method in ("GET", "HEAD", "DELETE"):
        assert blob.request(method, f"/v2/team/other/blobs/{DIGEST}").status == 404
    assert blob.get(f"/v2/team/other/blobs/{DIGEST}").codes == ["BLOB_UNKNOWN"]


def test_an_unknown_blob_is_the_same_404_for_head(blob):
    path = f"/v2/team/app/blobs/{digest_of(b'unknown')}"
    got, head = blob.get(path), blob.head(path)
    assert (head.status, head.stable_headers) == (got.status, got.stable_headers)
    assert got.codes == ["BLOB_UNKNOWN"]


def test_a_manifest_is_not_a_blob(front):
    data = b'{"schemaVersion":2,"manifests":[]}'
    digest = front.push_manifest("team/app", "v1", data, "application/vnd.oci.image.index.v1+json")
    assert front.get(f"/v2/team/app/blobs/{digest}").status == 404


# ---------------------------------------------------------------- conditions and ranges


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_client_with_the_blob_gets_304(blob, method):
    reply = blob.request(method, PATH, headers={"if-none-match": f'"{DIGEST}"'})
    assert (reply.status, reply.body) == (304, b"")
    assert reply.header("etag") == f'"{DIGEST}"'


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=5-", 5, len(DATA)),
        ("bytes=-5", len(DATA) - 5, len(DATA)),
        ("bytes=0-999999", 0, len(DATA)),
        ("bytes=-999999", 0, len(DATA)),
    ],
)
def test_one_range_is_that_part(blob, header, start, stop):
    reply = blob.get(PATH, headers={"range": header})
    assert (reply.status, reply.body) == (206, DATA[start:stop])
    assert reply.header("content-range") == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert reply.header("content-length") == str(stop - start)
    assert reply.header("docker-content-digest") == str(DIGEST)


@pytest.mark.parametrize("header", [f"bytes={len(DATA)}-", "bytes=-0", "bytes=9-5"])
def test_a_range_outside_is_416_with_the_size(blob, header):
    reply = blob.get(PATH, headers={"range": header})
    assert (reply.status, reply.header("content-range")) == (416, f"bytes */{len(DATA)}")


@pytest.mark.parametrize("header", ["bytes=x", "lines=1-2", "bytes=1-2,x"])
def test_a_range_that_cannot_be_read_gets_everything(blob, header):
    reply = blob.get(PATH, headers={"range": header})
    assert (reply.status, reply.body) == (200, DATA)


def test_a_range_of_other_content_gets_everything(blob):
    reply = blob.get(PATH, headers={"range": "bytes=0-4", "if-range": '"sha256:other"'})
    assert (reply.status, reply.body) == (200, DATA)
    assert blob.get(PATH, headers={"range": "bytes=0-4", "if-range": f'"{DIGEST}"'}).status == 206


def test_head_ignores_a_range(blob):
    reply = blob.head(PATH, headers={"range": "bytes=0-4"})
    assert (reply.status, reply.header("content-length")) == (200, str(len(DATA)))


def parts(reply):
    """Return the parts of a multipart answer, read by the parser of the standard library."""
    head = f"Content-Type: {reply.header('content-type')}\r\n\r\n".encode()
    message = email.message_from_bytes(head + reply.body)
    assert message.is_multipart()
    return [(part["content-range"], part["content-type"]) for part in message.get_payload()]


def pieces(reply):
    boundary = reply.header("content-type").partition("boundary=")[2]
    found = reply.body.split(b"\r\n--" + boundary.encode())
    assert (found[0], found[-1]) == (b"", b"--\r\n")
    return [piece.split(b"\r\n\r\n", 1)[1] for piece in found[1:-1]]


def test_several_ranges_are_several_parts(blob):
    reply = blob.get(PATH, headers={"range": "bytes=0-4,100-199,-3"})
    assert reply.status == 206
    assert reply.header("content-range") is None
    size, kind = len(DATA), "application/octet-stream"
    assert parts(reply) == [
        (f"bytes 0-4/{size}", kind),
        (f"bytes 100-199/{size}", kind),
        (f"bytes {size - 3}-{size - 1}/{size}", kind),
    ]
    assert pieces(reply) == [DATA[:5], DATA[100:200], DATA[-3:]]


def test_ranges_that_add_up_to_more_than_the_blob_get_it_once(blob):
    reply = blob.get(PATH, headers={"range": "bytes=0-,0-,0-"})
    assert (reply.status, reply.body) == (200, DATA)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary(min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=4),
)
def test_every_range_returns_its_bytes(data, pairs):
    clock = SettableClock()
    with Front(in_memory(clock), clock) as front:
        digest = front.push_blob("a", data)
        header = "bytes=" + ",".join(f"{min(pair)}-{max(pair)}" for pair in pairs)
        reply = front.get(f"/v2/a/blobs/{digest}", headers={"range": header})
    wanted = [data[min(pair) : max(pair) + 1] for pair in pairs if min(pair) < len(data)]
    if not wanted:
        assert reply.status == 416
    elif sum(map(len, wanted)) > len(data):
        assert (reply.status, reply.body) == (200, data)
    elif len(wanted) == 1:
        assert (reply.status, reply.body) == (206, wanted[0])
    else:
        assert (reply.status, pieces(reply)) == (206, wanted)


# ---------------------------------------------------------------- other stores

URL = "https://objects.example/bucket/key?X-Amz-Signature=secret"


@pytest.fixture
def streaming(blob, monkeypatch):
    """Return a function that makes the store one that streams, and gives a URL if there is one."""
    store = blob.kept.stores.content
    find = store.open

    def make(url=None):
        async def open_streamed(*args):
            content = await find(*args)
            return None if content is None else Streamed(await content.read(), url)

        monkeypatch.setattr(store, "open", open_streamed)

    return make


def test_a_blob_is_streamed_whole_and_in_ranges(blob, streaming):
    streaming()
    assert blob.get(PATH).body == DATA
    assert blob.head(PATH).header("content-length") == str(len(DATA))
    assert blob.get(PATH, headers={"range": "bytes=5-9"}).body == DATA[5:10]
    assert pieces(blob.get(PATH, headers={"range": "bytes=0-4,100-199"})) == [DATA[:5], DATA[100:200]]


def test_a_whole_blob_with_a_url_is_redirected_there(blob, streaming):
    streaming(URL)
    reply = blob.get(PATH)
    assert (reply.status, reply.location, reply.body) == (307, URL, b"")
    assert reply.header("cache-control") == "no-store"


def test_other_requests_for_a_blob_with_a_url_are_answered_here(blob, streaming):
    before = blob.head(PATH)
    streaming(URL)
    head = blob.head(PATH)
    assert (head.status, head.stable_headers) == (200, before.stable_headers)
    part = blob.get(PATH, headers={"range": "bytes=5-9"})
    assert (part.status, part.body) == (206, DATA[5:10])
    assert blob.get(PATH, headers={"if-none-match": f'"{DIGEST}"'}).status == 304
    assert blob.get(PATH, headers={"if-match": '"other"'}).status == 412


def test_a_url_is_given_only_for_a_blob_that_may_be_read(blob, streaming):
    streaming(URL)
    for reply in (blob.get(PATH, user=None), blob.get(PATH.replace("app", "other"))):
        assert reply.status in {401, 404}
        assert reply.header("location") is None


# ---------------------------------------------------------------- delete


def test_a_deleted_blob_is_gone_from_its_repository_only(front):
    for repository in ("a", "a/b"):
        front.push_blob(repository, DATA)
    reply = front.delete(f"/v2/a/blobs/{DIGEST}")
    assert (reply.status, reply.body) == (202, b"")
    assert front.get(f"/v2/a/blobs/{DIGEST}").status == 404
    assert front.get(f"/v2/a/b/blobs/{DIGEST}").body == DATA


def test_a_blob_is_deleted_once(blob):
    assert blob.delete(PATH).status == 202
    with blob.unchanged():
        reply = blob.delete(PATH)
    assert (reply.status, reply.codes) == (404, ["BLOB_UNKNOWN"])


def test_a_deleted_blob_can_be_pushed_again(blob):
    blob.delete(PATH)
    blob.push_blob("team/app", DATA)
    assert blob.get(PATH).body == DATA
