"""Every path that is handed out: relative, and readable again."""

from urllib.parse import parse_qs, urlsplit

from hypothesis import given, strategies as st

from simple_registry.http.urls import blob_url, manifest_url, next_page_link, upload_url
from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import parse_repository_name, parse_tag

REPOSITORY = parse_repository_name("team/app")
DIGEST = digest_of(b"")


def test_paths_have_neither_scheme_nor_host():
    urls = [
        blob_url(REPOSITORY, DIGEST),
        manifest_url(REPOSITORY, DIGEST),
        manifest_url(REPOSITORY, parse_tag("v1")),
        upload_url(REPOSITORY, "7d9f"),
    ]
    assert urls == [
        f"/v2/team/app/blobs/{DIGEST}",
        f"/v2/team/app/manifests/{DIGEST}",
        "/v2/team/app/manifests/v1",
        "/v2/team/app/blobs/uploads/7d9f",
    ]


@given(st.dictionaries(st.sampled_from(["n", "last", "artifactType"]), st.text(min_size=1), min_size=1))
def test_a_link_carries_its_fields_whatever_they_hold(fields):
    link = next_page_link("/v2/team/app/tags/list", fields)
    assert link.startswith("<")
    assert link.endswith('>; rel="next"')
    target = link[1 : link.index(">")]
    assert target.isascii()
    assert not set(target) & set('<> \r\n"\0')
    assert parse_qs(urlsplit(target).query, keep_blank_values=True) == {key: [value] for key, value in fields.items()}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_link_quotes_the_path(path):
    assert not set(next_page_link("/v2/" + path, {"n": "1"})) & set("\r\n\0")
