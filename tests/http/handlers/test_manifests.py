"""Pulling, pushing and deleting manifests."""

import asyncio
import gc
import json
import time

import pytest

from simple_registry.access.policy import Allowed, Refused
from simple_registry.config.settings import AllowMissing, DeleteReferenced, Limits, Settings
from simple_registry.config.values import MAX_TAGS
from simple_registry.oci import media_types
from simple_registry.oci.digests import digest_of
from simple_registry.operations import manifests
from support.access import binding, decided_by, rules
from support.content import Streamed
from support.documents import (
    CONFIG,
    EMPTY_TYPE,
    LAYER_TYPE,
    descriptor,
    encode,
    image,
    index,
    push_image,
    push_tags,
)

OCI = media_types.OCI_IMAGE_MANIFEST
OCI_INDEX = media_types.OCI_IMAGE_INDEX


@pytest.fixture
def parts(front):
    """Push the parts that the documents of these tests refer to."""
    for blob in (CONFIG, b"one", b"two"):
        front.push_blob("team/app", blob)
    return front


def put(front, reference, document, kind=OCI, repository="team/app", **how):
    data = document if isinstance(document, bytes) else encode(document)
    headers = {} if kind is None else {"content-type": kind}
    return front.put(f"/v2/{repository}/manifests/{reference}", body=data, headers=headers, **how)


# ---------------------------------------------------------------- pull


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_manifest_comes_back_byte_for_byte(front, by):
    data = push_image(front, "team/app", "v1", b"layer")
    digest = digest_of(data)
    reply = front.get(f"/v2/team/app/manifests/{'v1' if by == 'tag' else digest}")
    assert (reply.status, reply.body) == (200, data)
    assert reply.header("content-type") == OCI
    assert reply.header("docker-content-digest") == str(digest)
    assert reply.header("etag") == f'"{digest}"'
    assert ("immutable" in reply.header("cache-control")) is (by == "digest")


def test_head_answers_as_get_does(front):
    data = push_image(front, "team/app", "v1")
    for reference in ("v1", digest_of(data), "none", digest_of(b"none"), "-bad", "sha256:bad"):
        got, head = (front.request(method, f"/v2/team/app/manifests/{reference}") for method in ("GET", "HEAD"))
        assert (head.status, head.stable_headers) == (got.status, got.stable_headers)


def test_head_reads_no_content_that_was_found_intact(front, monkeypatch):
    push_image(front, "team/app", "v1")
    front.get("/v2/team/app/manifests/v1")
    monkeypatch.setattr(front.services.registry.manifests, "_read_intact", None)
    assert front.head("/v2/team/app/manifests/v1").status == 200


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_manifest_is_never_redirected(front, monkeypatch, size):
    front.push_blob("team/app", CONFIG)
    data = encode(image(annotations={"filler": "x" * size}))
    front.push_manifest("team/app", "v1", data)

    async def open_streamed(*_):
        return Streamed(data, "https://objects.example/manifest")

    monkeypatch.setattr(front.kept.stores.content, "open", open_streamed)
    for _ in range(2):
        reply = front.get("/v2/team/app/manifests/v1")
        assert (reply.status, reply.body, reply.header("content-type")) == (200, data, OCI)


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", media_types.DOCKER_MANIFEST, "text/html", "\u00e4"]
)
def test_nothing_is_converted_whatever_accept_says(memory_front, accept):
    data = push_image(memory_front, "team/app", "v1")
    reply = memory_front.get("/v2/team/app/manifests/v1", headers={} if accept is None else {"accept": accept})
    assert (reply.status, reply.body, reply.header("content-type")) == (200, data, OCI)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_client_with_the_manifest_gets_304(front, method):
    data = push_image(front, "team/app", "v1")
    reply = front.request(method, "/v2/team/app/manifests/v1", headers={"if-none-match": f'"{digest_of(data)}"'})
    assert (reply.status, reply.body) == (304, b"")
    changed = push_image(front, "team/app", "v1", b"new")
    headers = {"if-none-match": f'"{digest_of(data)}"'}
    assert front.get("/v2/team/app/manifests/v1", headers=headers).body == changed


@pytest.mark.parametrize("reference", ["none", "-bad", "a" * 129])
def test_an_unknown_reference_is_unknown(front, reference):
    push_image(front, "team/app", "v1")
    reply = front.get(f"/v2/team/app/manifests/{reference}")
    assert (reply.status, reply.codes) == (404, ["MANIFEST_UNKNOWN"])


def test_a_repository_that_does_not_exist_is_a_404(front):
    assert front.get("/v2/none/manifests/v1").status == 404


def test_a_manifest_of_another_repository_is_unknown_here(front):
    data = push_image(front, "team/app", "v1")
    for repository in ("team", "team/app/sub", "team/other"):
        for reference in ("v1", digest_of(data)):
            assert front.get(f"/v2/{repository}/manifests/{reference}").status == 404


# ---------------------------------------------------------------- push


def test_a_push_by_tag_returns_location_and_digest(parts):
    data = encode(image(b"one"))
    reply = put(parts, "v1", data)
    assert reply.status == 201
    assert reply.header("docker-content-digest") == str(digest_of(data))
    assert reply.header("oci-subject") is None
    assert reply.all("oci-tag") == []
    assert parts.get(reply.location).body == data


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_push_by_digest_makes_no_tag(parts, algorithm):
    data = encode(image(b"one"))
    digest = digest_of(data, algorithm)
    reply = put(parts, digest, data)
    assert (reply.status, reply.header("docker-content-digest")) == (201, str(digest))
    assert parts.get(f"/v2/team/app/manifests/{digest}").body == data
    assert parts.get("/v2/team/app/tags/list").json["tags"] == []


def test_a_push_by_another_digest_is_refused(parts):
    with parts.unchanged():
        reply = put(parts, digest_of(b"other"), image(b"one"))
    assert (reply.status, reply.codes) == (400, ["DIGEST_INVALID"])


def test_a_tag_moves_and_the_old_manifest_stays(front):
    old = push_image(front, "team/app", "v1", b"one")
    new = push_image(front, "team/app", "v1", b"two")
    assert front.get("/v2/team/app/manifests/v1").body == new
    assert front.get(f"/v2/team/app/manifests/{digest_of(old)}").body == old


def test_a_repeated_push_is_fine(parts):
    for _ in range(3):
        assert put(parts, "v1", image(b"one")).status == 201
    assert parts.get("/v2/team/app/tags/list").json["tags"] == ["v1"]


def test_ten_and_more_tags_come_with_one_push(parts):
    data = encode(image(b"one"))
    tags = [f"v{number}" for number in range(12)]
    query = "&".join(f"tag={tag}" for tag in tags)
    reply = put(parts, f"{digest_of(data)}?{query}", data)
    assert (reply.status, reply.all("oci-tag")) == (201, tags)
    for tag in tags:
        assert parts.get(f"/v2/team/app/manifests/{tag}").body == data


def test_the_answer_to_the_most_tags_has_fewer_header_lines_than_clients_read(parts):
    """Python's `http.client` takes 99; the date, `connection`, and twenty of a proxy come to those here."""
    data = encode(image(b"one", subject=descriptor(b"{}", OCI)))
    reply = put(parts, f"{digest_of(data)}?" + "&".join(f"tag=v{number}" for number in range(MAX_TAGS)), data)
    assert (reply.status, len(reply.all("oci-tag"))) == (201, MAX_TAGS)
    assert len(reply.headers) + 2 + 20 < 100


def test_too_many_tags_are_refused_whole(make_front):
    front = make_front(Settings(limits=Limits(tags_per_push=10)))
    front.push_blob("team/app", CONFIG)
    data = encode(image())
    query = "&".join(f"tag=v{number}" for number in range(11))
    with front.unchanged():
        reply = put(front, f"{digest_of(data)}?{query}", data)
    assert reply.status == 414


@pytest.mark.parametrize("tag", ["-bad", "", "a%2Fb", "a%0A", "a" * 129])
def test_one_bad_tag_refuses_all_of_them(parts, tag):
    data = encode(image(b"one"))
    with parts.unchanged():
        reply = put(parts, f"{digest_of(data)}?tag=good&tag={tag}", data)
    assert (reply.status, reply.codes) == (400, ["MANIFEST_INVALID"])


def test_a_bad_tag_in_the_path_is_refused(parts):
    with parts.unchanged():
        assert put(parts, "-bad", image(b"one")).status == 400


def test_a_tag_that_may_not_be_pushed_refuses_all_of_them(make_front):
    class OnlyVersions:
        def decide(self, _identity, permission):
            return Refused(lambda: "no") if permission.scope.endswith(":latest") else Allowed("yes")

    front = make_front(rules=decided_by(OnlyVersions()))
    front.push_blob("team/app", CONFIG)
    data = encode(image())
    with front.unchanged():
        reply = put(front, f"{digest_of(data)}?tag=v1&tag=latest", data)
    assert (reply.status, reply.codes) == (403, ["DENIED"])


def test_a_push_with_a_subject_is_answered_with_oci_subject(parts):
    subject = digest_of(b"nobody has this")
    document = image(b"one", subject={"mediaType": OCI, "digest": str(subject), "size": 15})
    reply = put(parts, "sig", document)
    assert (reply.status, reply.header("oci-subject")) == (201, str(subject))


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (image(b"one"), OCI),
        (image(b"one", mediaType=media_types.DOCKER_MANIFEST), media_types.DOCKER_MANIFEST),
        (image(b"one", mediaType=None), OCI),
        (image(b"one", config_type=EMPTY_TYPE, artifactType="application/x.y"), OCI),
        (
            image(config_type="application/vnd.cncf.helm.config.v1+json", layers=[descriptor(b"one", "application/x")]),
            OCI,
        ),
        (
            image(config_type="application/vnd.wasm.config.v0+json", layers=[descriptor(b"one", "application/wasm")]),
            OCI,
        ),
        (
            {"mediaType": media_types.OCI_ARTIFACT_MANIFEST, "artifactType": "a/b", "blobs": [descriptor(b"one")]},
            media_types.OCI_ARTIFACT_MANIFEST,
        ),
        (
            index(manifests=[descriptor(b"one"), descriptor(CONFIG, "application/vnd.buildkit.cacheconfig.v0")]),
            OCI_INDEX,
        ),
        (index(), OCI_INDEX),
        (index(mediaType=media_types.DOCKER_MANIFEST_LIST), media_types.DOCKER_MANIFEST_LIST),
        (image(b"one") | {"vendor": {"x": [1, None]}, "annotations": None}, OCI),
    ],
    ids=["image", "docker", "untyped", "empty config", "helm", "wasm", "artifact", "cache", "index", "list", "extra"],
)
def test_every_kind_keeps_its_bytes_and_its_type(parts, document, kind):
    data = encode(document)
    assert put(parts, "v1", data, kind).status == 201
    reply = parts.get("/v2/team/app/manifests/v1")
    assert (reply.body, reply.header("content-type")) == (data, kind)


@pytest.mark.parametrize("kind", [OCI + "; charset=utf-8", OCI + ";charset=utf-8", None, "", "application/json"])
def test_parameters_and_empty_types_do_not_come_back(parts, kind):
    assert put(parts, "v1", image(b"one", mediaType=None), kind).status == 201
    assert parts.get("/v2/team/app/manifests/v1").header("content-type") == OCI


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (b"", OCI),
        (b"not json", OCI),
        (image(b"one"), OCI_INDEX),
        (image(b"one"), "text/html"),
        (image(b"one", mediaType="text/html"), "text/html"),
        (image(b"one") | {"manifests": []}, OCI),
        (image(b"one", schemaVersion=1), OCI),
        (image(layers=[descriptor(b"one") | {"size": -1}]), OCI),
        (b'{"schemaVersion":2,"schemaVersion":2,"manifests":[]}', OCI_INDEX),
        (b"[" * 50_000, OCI),
    ],
)
def test_a_malformed_manifest_is_refused_and_nothing_changes(parts, document, kind):
    with parts.unchanged():
        reply = put(parts, "v1", document, kind)
    assert (reply.status, reply.codes) == (400, ["MANIFEST_INVALID"])


# ---------------------------------------------------------------- missing parts


def missing(reply):
    return [error["detail"]["digest"] for error in reply.json["errors"]]


def test_each_missing_part_is_an_error_of_its_own(parts):
    with parts.unchanged():
        reply = put(parts, "v1", image(b"one", b"absent", b"gone", b"absent"))
    assert (reply.status, set(reply.codes)) == (404, {"MANIFEST_BLOB_UNKNOWN"})
    assert missing(reply) == [str(digest_of(b"absent")), str(digest_of(b"gone"))]


def test_parts_of_another_repository_are_missing(parts):
    with parts.unchanged():
        reply = put(parts, "v1", image(b"one"), repository="team/other")
    assert missing(reply) == [str(digest_of(CONFIG)), str(digest_of(b"one"))]


def test_a_refused_push_does_not_create_the_repository(front):
    with front.unchanged():
        assert put(front, "v1", image(b"one")).status == 404
    assert front.get("/v2/team/app/tags/list").codes == ["NAME_UNKNOWN"]


def test_an_index_needs_its_children(parts):
    child = encode(image(b"one"))
    with parts.unchanged():
        assert missing(put(parts, "v1", index(child), OCI_INDEX)) == [str(digest_of(child))]
    put(parts, digest_of(child), child)
    assert put(parts, "v1", index(child), OCI_INDEX).status == 201


def test_a_nested_index_needs_its_child_index(parts):
    inner = encode(index())
    outer = index(inner, child_type=OCI_INDEX)
    assert put(parts, "v1", outer, OCI_INDEX).status == 404
    assert put(parts, digest_of(inner), inner, OCI_INDEX).status == 201
    assert put(parts, "v1", outer, OCI_INDEX).status == 201


def test_a_manifest_does_not_count_as_a_layer(parts):
    child = encode(image(b"one"))
    put(parts, digest_of(child), child)
    reply = put(parts, "v1", image(layers=[descriptor(child, LAYER_TYPE)]))
    assert missing(reply) == [str(digest_of(child))]


def test_foreign_layers_need_not_be_here(parts):
    foreign = descriptor(b"windows", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    assert put(parts, "v1", image(layers=[descriptor(b"one"), foreign])).status == 201


def test_a_subject_need_not_be_here(parts):
    assert put(parts, "v1", image(b"one", subject=descriptor(b"absent", OCI))).status == 201


@pytest.mark.parametrize(
    ("mode", "sparse_index", "sparse_image"),
    [(AllowMissing.NONE, 404, 404), (AllowMissing.INDEXES, 201, 404), (AllowMissing.ALL, 201, 201)],
)
def test_the_setting_decides_what_may_be_missing(make_front, mode, sparse_index, sparse_image):
    front = make_front(Settings(allow_missing=mode))
    assert put(front, "index", index(b"absent"), OCI_INDEX).status == sparse_index
    assert put(front, "image", image(b"absent")).status == sparse_image


def test_a_part_of_another_size_is_refused_and_both_sizes_are_named(parts):
    with parts.unchanged():
        reply = put(parts, "v1", image(layers=[descriptor(b"one") | {"size": 6}]))
    assert (reply.status, reply.codes) == (400, ["SIZE_INVALID"])
    assert reply.json["errors"][0]["detail"] == {"digest": str(digest_of(b"one")), "described": 6, "actual": 3}


def test_an_index_may_not_be_wrong_about_the_size_of_its_children(parts):
    child = encode(image(b"one"))
    put(parts, digest_of(child), child)
    for document in (
        index(manifests=[descriptor(child, OCI) | {"size": 1}]),
        index(manifests=[descriptor(b"one") | {"size": 1}]),
        index(subject=descriptor(child, OCI) | {"size": 1}),
    ):
        with parts.unchanged():
            reply = put(parts, "v1", document, OCI_INDEX)
        assert (reply.status, reply.codes) == (400, ["SIZE_INVALID"])


# ---------------------------------------------------------------- preconditions


def tag_of(data):
    return f'"{digest_of(data)}"'


def put_if(front, reference, document, **conditions):
    headers = {"content-type": OCI} | {name.replace("_", "-"): value for name, value in conditions.items()}
    data = document if isinstance(document, bytes) else encode(document)
    return front.put(f"/v2/team/app/manifests/{reference}", body=data, headers=headers)


def refused(reply):
    assert (reply.status, reply.codes) == (412, ["DENIED"])
    return reply.json["errors"][0]["detail"]


def test_a_tag_is_moved_from_where_its_client_saw_it(parts):
    old, new = encode(image(b"one")), encode(image(b"two"))
    assert put_if(parts, "v1", old, if_none_match="*").status == 201
    with parts.unchanged():
        detail = refused(put_if(parts, "v1", new, if_none_match="*"))
        assert detail == {"reference": "v1", "current": str(digest_of(old))}
        refused(put_if(parts, "v1", new, if_match=tag_of(new)))
        refused(put_if(parts, "v1", new, if_match=f"W/{tag_of(old)}"))
        refused(put_if(parts, "v1", new, if_none_match=f'"x", W/{tag_of(old)}'))
        assert refused(put_if(parts, "v2", new, if_match="*")) == {"reference": "v2", "current": None}
        refused(put_if(parts, "v2", new, if_match=tag_of(old)))
    assert put_if(parts, "v1", new, if_match=f"{tag_of(new)}, {tag_of(old)}").status == 201
    assert put_if(parts, "v1", old, if_match="*").status == 201
    assert parts.get("/v2/team/app/manifests/v1").body == old


def test_with_more_tags_each_must_match(parts):
    old, new = encode(image(b"one")), encode(image(b"two"))
    for tag in ("v1", "v2"):
        put(parts, tag, old)
    with parts.unchanged():
        assert refused(put_if(parts, "v1?tag=v2&tag=v3", new, if_match=tag_of(old)))["reference"] == "v3"
        assert refused(put_if(parts, f"{digest_of(new)}?tag=v3&tag=v2", new, if_none_match="*"))["reference"] == "v2"
    assert put_if(parts, f"{digest_of(new)}?tag=v1&tag=v2", new, if_match=tag_of(old)).status == 201
    assert put_if(parts, f"{digest_of(new)}?tag=v3", new, if_none_match="*").status == 201
    for tag in ("v1", "v2", "v3"):
        assert parts.get(f"/v2/team/app/manifests/{tag}").body == new


def test_on_a_digest_a_condition_asks_what_this_repository_holds(parts):
    data = encode(image(b"one"))
    for blob in (CONFIG, b"one"):
        parts.push_blob("team/other", blob)
    put(parts, "v1", data, repository="team/other")
    with parts.unchanged():
        refused(put_if(parts, digest_of(data), data, if_match="*"))
    assert put_if(parts, digest_of(data), data, if_none_match="*").status == 201
    with parts.unchanged():
        refused(put_if(parts, digest_of(data), data, if_none_match="*"))
    assert put_if(parts, digest_of(data), data, if_match=tag_of(data)).status == 201


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_conditional_delete_removes_only_the_version_that_its_client_saw(front, by):
    data = push_tags(front, "team/app", ["v1"])
    path = f"/v2/team/app/manifests/{'v1' if by == 'tag' else digest_of(data)}"
    for conditions in (
        {"if-match": tag_of(b"other")},
        {"if-match": f"W/{tag_of(data)}"},
        {"if-none-match": "*"},
        {"if-none-match": tag_of(data)},
        {"if-match": tag_of(data), "if-none-match": tag_of(data)},
    ):
        with front.unchanged():
            assert refused(front.delete(path, headers=conditions))["current"] == str(digest_of(data))
    assert front.delete(path, headers={"if-match": tag_of(data)}).status == 202
    # RFC 9110, section 13.2.1: what would fail without the condition fails as it would.
    for conditions in ({"if-match": "*"}, {"if-match": tag_of(data)}, {"if-none-match": "*"}):
        assert front.delete(path, headers=conditions).codes == ["MANIFEST_UNKNOWN"]


def test_a_condition_that_cannot_be_read_is_refused(parts):
    data = encode(image(b"one"))
    put(parts, "v1", data)
    for conditions in ({"if-match": str(digest_of(data))}, {"if-none-match": "x"}, {"if-match": ""}):
        with parts.unchanged():
            replies = [
                put_if(parts, "v1", image(b"two"), **conditions),
                parts.delete("/v2/team/app/manifests/v1", headers=conditions),
            ]
        assert {(reply.status, *reply.codes) for reply in replies} == {(400, "UNSUPPORTED")}


def test_a_read_on_a_condition_is_of_what_its_client_saw(front):
    data = push_image(front, "team/app", "v1")
    for method in ("GET", "HEAD"):
        answers = [
            front.request(method, "/v2/team/app/manifests/v1", headers={"if-match": value}).status
            for value in (tag_of(data), "*", tag_of(b"other"), str(digest_of(data)))
        ]
        assert answers == [200, 200, 412, 400]
    assert front.get("/v2/team/app/manifests/v2", headers={"if-match": "*"}).status == 404


def test_a_precondition_on_a_tag_requires_permission_to_read_it(make_front):
    blind = binding("bob", ("blobs manifests", "PUT DELETE"), "^team/app(:.+)?$", name="blind")
    sighted = binding("bob", ("manifests", "HEAD"), "^team/app:seen$", name="sighted")
    front = make_front(rules=rules(blind, sighted, users=["bob"]))
    old, new = (push_tags(front, "team/app", ["v1", "seen"]), push_image(front, "team/app", "other", b"new"))

    def answers(reference, **headers):
        return [
            front.put(f"/v2/team/app/manifests/{reference}", body=new, user="bob", headers=headers).status,
            front.delete(f"/v2/team/app/manifests/{reference.partition('?')[0]}", user="bob", headers=headers).status,
        ]

    for condition in ({"if-none-match": "*"}, {"if-match": tag_of(old)}, {"if-match": tag_of(b"x")}):
        with front.unchanged():
            for reference in ("v1", "absent", str(digest_of(new))):
                assert answers(reference, **condition) == [403, 403]
            reply = front.put("/v2/team/app/manifests/seen?tag=v1", body=new, user="bob", headers=condition)
            assert (reply.status, reply.json["errors"][0]["detail"]["scope"]) == (403, "team/app:v1")
    assert answers("seen", **{"if-none-match": "*"}) == [412, 412]
    assert answers(f"{digest_of(new)}?tag=seen", **{"if-none-match": "*"}) == [412, 403]
    assert answers("seen", **{"if-match": tag_of(old)}) == [201, 412]
    assert answers("v1") == [201, 202]


def test_of_many_that_move_one_tag_at_once_one_does(front):
    current = digest_of(push_image(front, "team/app", "v1"))
    for turn in range(5):
        contents = [encode(image(annotations={"turn": f"{turn}", "writer": f"{writer}"})) for writer in range(8)]
        headers = {"content-type": OCI, "if-match": f'"{current}"'}
        replies = front.together(
            *(front.send("PUT", "/v2/team/app/manifests/v1", body=data, headers=headers) for data in contents)
        )
        assert sorted(reply.status for reply in replies) == [201] + [412] * 7
        won = contents[[reply.status for reply in replies].index(201)]
        assert front.get("/v2/team/app/manifests/v1").body == won
        current = digest_of(won)


# ---------------------------------------------------------------- size

LIMIT = 4 * 1024 * 1024


def sized(size):
    data = encode(index(annotations={"x": ""}))
    return data.replace(b'"x": ""', b'"x": "' + b"y" * (size - len(data)) + b'"')


def test_a_manifest_of_the_largest_size_is_accepted(front):
    data = sized(LIMIT)
    assert len(data) == LIMIT
    assert put(front, "v1", data, OCI_INDEX).status == 201
    assert front.get("/v2/team/app/manifests/v1").body == data


def test_a_manifest_of_the_largest_size_keeps_no_other_request_waiting(front):
    children = [descriptor(b"%d" % number, "a/b") for number in range(35_000)]
    data = json.dumps(index(manifests=children), separators=(",", ":")).encode()
    assert LIMIT * 0.9 < len(data) <= LIMIT
    gaps = []  # CPU seconds of the event loop's thread: those of the clock follow the load of the machine

    async def scenario():
        pushing = asyncio.create_task(
            front.send("PUT", "/v2/team/app/manifests/v1", body=data, headers={"content-type": OCI_INDEX})
        )
        while not pushing.done():
            before = time.thread_time()
            await asyncio.sleep(0.001)
            gaps.append(time.thread_time() - before)
        return await pushing

    gc.freeze()  # what other tests of this process left is not searched for garbage meanwhile
    try:
        with front.unchanged():
            reply = front.run(scenario())
    finally:
        gc.unfreeze()
    assert (reply.status, len(reply.codes)) == (404, 100)
    assert missing(reply) == [child["digest"] for child in children[:100]]
    assert max(gaps) < 0.2


def large(number):
    return encode(index(annotations={"n": str(number), "filler": "x" * manifests.MAX_INLINE}))


def test_large_manifests_are_taken_in_one_at_a_time(front, monkeypatch):
    at_once, most = [], []
    read = manifests.parse_manifest

    def counting(*arguments):
        at_once.append(None)
        most.append(len(at_once))
        found = read(*arguments)
        at_once.pop()
        return found

    monkeypatch.setattr(manifests, "parse_manifest", counting)
    replies = front.together(
        *(front.send("PUT", f"/v2/team/app/manifests/v{number}", body=large(number)) for number in range(4))
    )
    assert [reply.status for reply in replies] == [201] * 4
    assert most == [1] * 4


def test_permission_is_checked_again_after_waiting_for_a_turn(make_front, monkeypatch):
    pushes = binding("bob", ("*", "*"), "^team/.+$", name="pushes")
    front = make_front(rules=rules(pushes, users=["bob"]))
    read = manifests.parse_manifest

    def read_and_take_the_right(*arguments):
        front.access.rules = rules(users=["bob"])
        return read(*arguments)

    monkeypatch.setattr(manifests, "parse_manifest", read_and_take_the_right)
    replies = front.together(
        *(front.send("PUT", f"/v2/team/app/manifests/v{number}", body=large(number), user="bob") for number in range(2))
    )
    assert [reply.status for reply in replies] == [201, 403]
    front.access.rules = rules(pushes, users=["bob"])
    assert front.get("/v2/team/app/tags/list", user="bob").json["tags"] == ["v0"]


def test_one_byte_more_is_refused_before_any_is_read(front):
    with front.unchanged():
        reply = put(front, "v1", sized(LIMIT + 1), OCI_INDEX)
    assert (reply.status, reply.codes, reply.taken) == (413, ["SIZE_INVALID"], 0)


def test_a_body_without_announced_length_is_refused_at_the_limit(front):
    chunk = b" " * 64 * 1024
    with front.unchanged():
        reply = front.put("/v2/team/app/manifests/v1", body=[chunk] * 200, headers={"content-type": OCI})
    assert (reply.status, reply.taken) == (413, LIMIT + len(chunk))


def test_an_interrupted_push_changes_nothing(parts):
    data = encode(image(b"one"))
    with parts.unchanged():
        reply = parts.put("/v2/team/app/manifests/v1", body=[data], headers={"content-length": str(len(data) + 1)})
    assert (reply.status, reply.codes) == (400, ["SIZE_INVALID"])


# ---------------------------------------------------------------- delete


def test_a_deleted_tag_takes_nothing_with_it(front):
    data = push_tags(front, "team/app", ["v1", "v2"])
    assert front.delete("/v2/team/app/manifests/v1").status == 202
    assert front.get("/v2/team/app/manifests/v1").status == 404
    assert front.get("/v2/team/app/manifests/v2").body == data
    assert front.get(f"/v2/team/app/manifests/{digest_of(data)}").body == data


def test_a_deleted_manifest_takes_its_tags_with_it(front):
    data = push_tags(front, "team/app", ["v1", "v2"])
    other = push_image(front, "team/app", "v3", b"other")
    assert front.delete(f"/v2/team/app/manifests/{digest_of(data)}").status == 202
    for reference in ("v1", "v2", digest_of(data)):
        assert front.get(f"/v2/team/app/manifests/{reference}").status == 404
    assert front.get("/v2/team/app/tags/list").json["tags"] == ["v3"]
    assert front.get("/v2/team/app/manifests/v3").body == other


def test_a_manifest_deleted_here_stays_elsewhere(front):
    data = push_image(front, "a", "v1")
    push_image(front, "a/b", "v1")
    front.delete(f"/v2/a/manifests/{digest_of(data)}")
    assert front.get("/v2/a/b/manifests/v1").body == data


@pytest.mark.parametrize("reference", ["none", "-bad", digest_of(b"none")])
@pytest.mark.parametrize("repository", ["team/app", "none"])
def test_deleting_absent_content_is_a_404(front, repository, reference):
    push_image(front, "team/app", "v1")
    with front.unchanged():
        reply = front.delete(f"/v2/{repository}/manifests/{reference}")
    assert (reply.status, reply.codes) == (404, ["MANIFEST_UNKNOWN"])


@pytest.mark.parametrize("rule", DeleteReferenced)
def test_a_child_can_be_deleted_only_by_the_rule_and_its_index_stays(make_front, rule):
    front = make_front(Settings(delete_referenced=rule))
    child = push_image(front, "team/app", "child")
    data = encode(index(child))
    front.push_manifest("team/app", "v1", data, OCI_INDEX)
    reply = front.delete(f"/v2/team/app/manifests/{digest_of(child)}")
    assert reply.status == (409 if rule is DeleteReferenced.REFUSE else 202)
    assert json.loads(front.get("/v2/team/app/manifests/v1").body)["manifests"]


def test_a_deleted_manifest_can_be_pushed_again(front):
    data = push_image(front, "team/app", "v1")
    front.delete(f"/v2/team/app/manifests/{digest_of(data)}")
    push_image(front, "team/app", "v1")
    assert front.get("/v2/team/app/manifests/v1").body == data


class _KeepsSecrets:
    """Allows everything, except on a secret tag."""

    def decide(self, _identity, permission):
        return Refused(lambda: "no") if permission.scope.endswith(":secret-tag") else Allowed("yes")


def test_a_manifest_with_a_protected_tag_is_kept_and_the_tag_is_not_revealed(make_front):
    front = make_front()
    data = push_tags(front, "team/app", ["secret-tag", "v1"])
    front.access.rules = make_front(rules=decided_by(_KeepsSecrets())).access.rules
    with front.unchanged():
        reply = front.delete(f"/v2/team/app/manifests/{digest_of(data)}")
    assert (reply.status, reply.codes) == (403, ["DENIED"])
    assert reply.json["errors"][0]["detail"]["scope"] == "team/app"
    assert b"secret" not in reply.body


def test_a_tag_added_during_a_deletion_is_authorized_too(make_front, monkeypatch):
    front = make_front()
    data = push_tags(front, "team/app", ["v1"])
    rows = front.kept.stores.rows.manifests
    remove, allowed, keeping = rows.remove_manifest, front.access.rules, make_front(rules=decided_by(_KeepsSecrets()))

    async def push_then_remove(*arguments, **how):
        front.access.rules = allowed
        reply = await put_soon(front, "secret-tag", data)
        assert reply.status == 201
        front.access.rules = keeping.access.rules
        return await remove(*arguments, **how)

    monkeypatch.setattr(rows, "remove_manifest", push_then_remove)
    front.access.rules = keeping.access.rules
    assert front.delete(f"/v2/team/app/manifests/{digest_of(data)}").status == 403
    front.access.rules = allowed
    for tag in ("v1", "secret-tag"):
        assert front.get(f"/v2/team/app/manifests/{tag}").body == data


async def put_soon(front, reference, data):
    return await front.send("PUT", f"/v2/team/app/manifests/{reference}", body=data, headers={"content-type": OCI})
