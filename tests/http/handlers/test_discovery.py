"""Listing tags and referrers."""

from urllib.parse import quote, quote_plus

import pytest

from simple_registry.access.policy import Allowed, Refused
from simple_registry.oci import media_types
from simple_registry.oci.digests import digest_of
from support.access import decided_by
from support.documents import CONFIG_TYPE, EMPTY_TYPE, descriptor, encode, image, index, push_image, push_tags

OCI, OCI_INDEX = media_types.OCI_IMAGE_MANIFEST, media_types.OCI_IMAGE_INDEX
TAGS = ["0", "A", "B", "_x", "a", "a-b", "a.b", "b", "v1", "v10", "v2"]  # in ASCII order


def tags(front, query="", repository="team/app"):
    reply = front.get(f"/v2/{repository}/tags/list{query}")
    assert reply.status == 200, reply
    assert reply.json["name"] == repository
    return reply.json["tags"]


def next_page(reply):
    """Return where the `Link` of an answer leads."""
    link = reply.header("link")
    if link is None:
        return None
    assert link.endswith('; rel="next"')
    target = link[1 : link.index(">")]
    assert target.startswith("/v2/")
    return target


def every_page(front, target, field):
    found = []
    while target is not None:
        reply = front.get(target)
        assert reply.status == 200
        found.append(reply.json[field])
        target = next_page(reply)
    return found


# ---------------------------------------------------------------- tags


def test_tags_come_in_ascii_order(front):
    push_tags(front, "team/app", reversed(TAGS))
    reply = front.get("/v2/team/app/tags/list")
    assert reply.json == {"name": "team/app", "tags": TAGS}
    assert reply.header("content-type") == "application/json"
    assert reply.header("link") is None


def test_a_repository_without_tags_has_an_empty_list(front):
    push_image(front, "team/app", "v1")
    front.delete("/v2/team/app/manifests/v1")
    assert tags(front) == []


def test_a_repository_without_manifests_has_no_list_as_it_is_not_in_the_catalog(front):
    push_image(front, "team/app/sub", "v1")
    front.push_blob("team/app", b"only a blob")
    reply = front.get("/v2/team/app/tags/list")
    assert (reply.status, reply.codes) == (404, ["NAME_UNKNOWN"])
    digest = digest_of(push_image(front, "team/app", "v1"))
    assert tags(front) == ["v1"]
    front.delete(f"/v2/team/app/manifests/{digest}")
    assert front.get("/v2/team/app/tags/list").status == 404
    assert front.get("/v2/_catalog").json["repositories"] == ["team/app/sub"]


def test_nested_repositories_have_tags_of_their_own(front):
    for repository, tag in (("a", "one"), ("a/b", "two"), ("a/b/c", "three")):
        push_image(front, repository, tag)
    assert [tags(front, repository=name) for name in ("a", "a/b", "a/b/c")] == [["one"], ["two"], ["three"]]


@pytest.mark.parametrize("n", range(1, 13))
def test_pages_of_any_size_meet_every_tag_once(memory_front, n):
    push_tags(memory_front, "team/app", TAGS)
    pages = every_page(memory_front, f"/v2/team/app/tags/list?n={n}", "tags")
    assert [tag for page in pages for tag in page] == TAGS
    assert all(len(page) == n for page in pages[:-1])
    assert pages[-1]


def test_a_page_of_nothing_is_empty_and_leads_nowhere(front):
    push_tags(front, "team/app", TAGS)
    reply = front.get("/v2/team/app/tags/list?n=0")
    assert (reply.json["tags"], reply.header("link")) == ([], None)


def test_last_is_left_out_and_need_not_exist(front):
    push_tags(front, "team/app", TAGS)
    assert tags(front, "?last=b") == ["v1", "v10", "v2"]
    assert tags(front, "?n=2&last=b") == ["v1", "v10"]
    assert tags(front, "?n=2&last=a0") == ["b", "v1"]
    assert tags(front, "?last=zzz") == []
    assert tags(front, "?last=") == TAGS


def test_a_listing_continues_after_a_deleted_tag(front):
    push_tags(front, "team/app", TAGS)
    first = front.get("/v2/team/app/tags/list?n=3")
    front.delete(f"/v2/team/app/manifests/{first.json['tags'][-1]}")
    assert tags(front, next_page(first).partition("/tags/list")[2]) == TAGS[3:6]


def test_a_listing_has_every_tag_that_exists_throughout(front):
    data = push_tags(front, "team/app", TAGS)
    seen, target, changes = [], "/v2/team/app/tags/list?n=2", iter(["A1", "a-c", "v11", "zz"])
    while target is not None:
        reply = front.get(target)
        seen += reply.json["tags"]
        target = next_page(reply)
        front.push_manifest("team/app", next(changes, "zzz"), data)
        if "B" in seen:
            front.delete("/v2/team/app/manifests/0")
    assert [tag for tag in seen if tag in TAGS] == TAGS
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("n", ["x", "-1", "1.5", "%2B1", "", "%D9%A1", "%EF%BC%91", "1&n=2"])
def test_a_number_that_is_none_is_refused(front, n):
    push_tags(front, "team/app", ["v1"])
    assert front.get(f"/v2/team/app/tags/list?n={n}").status == 400


def test_more_than_there_are_is_all_there_are(front):
    push_tags(front, "team/app", TAGS)
    for n in ("999999999", "9" * 30):
        reply = front.get(f"/v2/team/app/tags/list?n={n}")
        assert (reply.json["tags"], reply.header("link")) == (TAGS, None)


def test_only_tags_that_may_be_pulled_are_listed_and_pages_stay_full(make_front):
    class OnlyVersions:
        def decide(self, identity, permission):
            hidden = identity.name == "eve" and ":" in permission.scope and ":v" not in permission.scope
            return Refused(lambda: "hidden") if hidden else Allowed("yes")

    front = make_front(rules=decided_by(OnlyVersions(), users=["eve"]))
    push_tags(front, "team/app", TAGS)
    assert front.get("/v2/team/app/tags/list", user="eve").json["tags"] == ["v1", "v10", "v2"]
    page = front.get("/v2/team/app/tags/list?n=2", user="eve")
    assert page.json["tags"] == ["v1", "v10"]
    last = front.get(next_page(page), user="eve")
    assert (last.json["tags"], last.header("link")) == (["v2"], None)


def test_head_of_tags_equals_get(front):
    push_tags(front, "team/app", TAGS)
    for path in ("/v2/team/app/tags/list", "/v2/team/app/tags/list?n=2", "/v2/none/tags/list"):
        got, head = front.get(path), front.head(path)
        assert (head.status, head.stable_headers) == (got.status, got.stable_headers)


# ---------------------------------------------------------------- referrers


@pytest.fixture
def subject(front):
    """Push an image, and return its digest."""
    return digest_of(push_image(front, "team/app", "v1"))


def refer(front, digest, *, repository="team/app", reference=None, **fields):
    """Push a manifest whose subject has this digest, and return its bytes."""
    fields.setdefault("artifactType", "application/x.sbom")
    front.push_blob(repository, b"{}")
    held = front.head(f"/v2/{repository}/manifests/{digest}").header("content-length")
    document = image(subject={"mediaType": OCI, "digest": str(digest), "size": int(held)}, **fields)
    data = encode({key: value for key, value in document.items() if value is not None})
    front.push_manifest(repository, reference or str(digest_of(data)), data)
    return data


def referrers(front, digest, query="", repository="team/app"):
    reply = front.get(f"/v2/{repository}/referrers/{digest}{query}")
    assert reply.status == 200, reply
    assert reply.header("content-type") == OCI_INDEX
    assert (reply.json["schemaVersion"], reply.json["mediaType"]) == (2, OCI_INDEX)
    return reply.json["manifests"]


def test_a_subject_without_referrers_has_an_empty_index(front, subject):
    assert referrers(front, subject) == []


def test_any_digest_has_an_index_in_any_repository(front):
    zeros = "sha256:" + "0" * 64
    assert referrers(front, zeros) == []
    assert referrers(front, zeros, repository="never/seen") == []


@pytest.mark.parametrize("digest", ["sha256:short", "tag", "md5:" + "0" * 32])
def test_an_invalid_digest_is_a_400(front, digest):
    reply = front.get(f"/v2/team/app/referrers/{digest}")
    assert (reply.status, reply.codes) == (400, ["DIGEST_INVALID"])


def test_a_referrer_is_described_with_type_and_annotations(front, subject):
    data = refer(front, subject, annotations={"b": "\u00e4", "a": "1"})
    assert referrers(front, subject) == [
        {
            "mediaType": OCI,
            "digest": str(digest_of(data)),
            "size": len(data),
            "artifactType": "application/x.sbom",
            "annotations": {"b": "\u00e4", "a": "1"},
        }
    ]


def test_an_image_without_artifact_type_is_known_by_its_config(front, subject):
    refer(front, subject, artifactType=None)
    assert [each["artifactType"] for each in referrers(front, subject)] == [CONFIG_TYPE]
    refer(front, subject, artifactType=None, config_type=EMPTY_TYPE)
    assert {each["artifactType"] for each in referrers(front, subject)} == {CONFIG_TYPE, EMPTY_TYPE}


def test_an_index_without_artifact_type_has_none(front, subject):
    document = index(subject=descriptor(encode(image()), OCI))
    front.push_manifest("team/app", "set", encode(document), OCI_INDEX)
    (described,) = referrers(front, subject)
    assert described["mediaType"] == OCI_INDEX
    assert "artifactType" not in described
    assert "annotations" not in described


def test_a_filter_is_applied_and_announced(front, subject):
    for kind in ("application/x.sbom", "application/x.sig", "application/x.sbom+json"):
        refer(front, subject, artifactType=kind)
    for kind in ("application/x.sbom", "application/x.sbom+json", "application/none"):
        query = f"?artifactType={quote(kind, safe='')}"
        found = referrers(front, subject, query)
        assert {each["artifactType"] for each in found} == ({kind} - {"application/none"})
        reply = front.get(f"/v2/team/app/referrers/{subject}{query}")
        assert reply.header("oci-filters-applied") == "artifactType"
    assert front.get(f"/v2/team/app/referrers/{subject}").header("oci-filters-applied") is None


def test_a_bare_plus_in_a_filter_is_a_plus(front, subject):
    for kind in ("application/x.sig+json", "text/x-c++", "text/plain; charset=utf-8"):
        data = refer(front, subject, artifactType=kind)
        for spelt in (kind, quote(kind, safe=""), quote(kind, safe="+"), quote_plus(kind)):
            query = f"?artifactType={spelt.replace(' ', '%20')}"
            assert [each["digest"] for each in referrers(front, subject, query)] == [str(digest_of(data))], query


def test_a_filter_that_contradicts_itself_is_refused(front, subject):
    reply = front.get(f"/v2/team/app/referrers/{subject}?artifactType=a/b&artifactType=c/d")
    assert (reply.status, reply.codes) == (400, ["UNSUPPORTED"])


def test_referrers_belong_to_their_repository(front, subject):
    refer(front, subject, repository="team/other")
    assert referrers(front, subject) == []
    assert len(referrers(front, subject, repository="team/other")) == 1


def test_referrers_can_come_before_their_subject_and_outlive_it(front):
    data = encode(image())
    refer(front, digest_of(data))
    assert len(referrers(front, digest_of(data))) == 1
    push_image(front, "team/app", "v1")
    assert len(referrers(front, digest_of(data))) == 1
    front.delete(f"/v2/team/app/manifests/{digest_of(data)}")
    assert len(referrers(front, digest_of(data))) == 1


def test_a_deleted_referrer_is_listed_no_more(front, subject):
    data = refer(front, subject)
    front.delete(f"/v2/team/app/manifests/{digest_of(data)}")
    assert referrers(front, subject) == []


def test_a_list_that_an_older_client_wrote_adds_nothing_twice(front, subject):
    data = refer(front, subject)
    fallback = encode(index(manifests=[descriptor(data, OCI, artifactType="application/x.sbom")]))
    front.push_manifest("team/app", str(subject).replace(":", "-"), fallback, OCI_INDEX)
    assert [each["digest"] for each in referrers(front, subject)] == [str(digest_of(data))]


def test_referrers_are_paged_by_size_and_each_is_met_once(front, subject):
    filler = "x" * 60_000
    pushed = {
        str(digest_of(refer(front, subject, annotations={"filler": filler, "number": str(number)})))
        for number in range(150)
    }
    pages = every_page(front, f"/v2/team/app/referrers/{subject}", "manifests")
    assert [each["digest"] for page in pages for each in page] == sorted(pushed)
    assert len(pages) == 3
    assert all(len(encode(page)) < 4 * 1024 * 1024 for page in pages)


def test_pages_keep_their_filter(front, subject):
    filler = "x" * 60_000
    for number in range(80):
        for kind in ("application/x.sbom", "application/x.sig"):
            refer(front, subject, artifactType=kind, annotations={"filler": filler, "number": str(number)})
    target = f"/v2/team/app/referrers/{subject}?artifactType=application/x.sig"
    pages = every_page(front, target, "manifests")
    assert len(pages) == 2
    assert [each["artifactType"] for page in pages for each in page] == ["application/x.sig"] * 80


def test_a_page_after_nonsense_is_refused(front, subject):
    reply = front.get(f"/v2/team/app/referrers/{subject}?last=nonsense")
    assert (reply.status, reply.codes) == (400, ["DIGEST_INVALID"])


def test_head_of_referrers_equals_get(front, subject):
    refer(front, subject)
    for query in ("", "?artifactType=application/x.sbom", "?last=x"):
        path = f"/v2/team/app/referrers/{subject}{query}"
        got, head = front.get(path), front.head(path)
        assert (head.status, head.stable_headers) == (got.status, got.stable_headers)
