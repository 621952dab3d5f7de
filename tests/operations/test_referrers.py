"""The operation on referrers: pages by size, and descriptors as the specification wants them."""

import json

import pytest

from simple_registry.oci.descriptors import ReferrerDescriptor
from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import parse_repository_name
from simple_registry.operations import referrers as module
from simple_registry.operations.referrers import Referrers, encode_descriptor

A = parse_repository_name("a")
SUBJECT = digest_of(b"subject")


def row(number, filler=0, **further):
    fields = {"artifact_type": "a/b", "annotations": {"filler": "x" * filler}} | further
    return ReferrerDescriptor("a/manifest", digest_of(str(number).encode()), number, **fields)


class Rows:
    """Referrers in order of digest, and how often they are asked for."""

    def __init__(self, *rows):
        self.rows = sorted(rows, key=lambda each: str(each.digest))
        self.asked = 0

    def page_referrers(self, repository, subject, *, artifact_type, after, limit):
        self.asked += 1
        found = [each for each in self.rows if artifact_type in (None, each.artifact_type)]
        return [each for each in found if after is None or str(each.digest) > str(after)][:limit]


def pages(referrers, artifact_type=None):
    last, found = None, []
    while True:
        page = referrers.page(A, SUBJECT, artifact_type=artifact_type, last=last)
        found.append([json.loads(each)["digest"] for each in page.descriptors])
        if page.last is None:
            return found
        last = page.last


@pytest.mark.parametrize("page_size", [1, 300, 1000, 10_000])
def test_pages_of_any_size_meet_each_referrer_once(page_size):
    rows = Rows(*(row(number, filler=100) for number in range(12)))
    found = pages(Referrers(rows, page_size))
    assert [digest for page in found for digest in page] == [str(each.digest) for each in rows.rows]
    assert all(found)


def test_a_page_is_no_larger_than_it_may_be():
    referrers = Referrers(Rows(*(row(number, filler=100) for number in range(12))), 1000)
    page = referrers.page(A, SUBJECT, artifact_type=None, last=None)
    assert page.last is not None
    assert sum(map(len, page.descriptors)) + len(page.descriptors) <= 1001


def test_a_descriptor_larger_than_a_page_has_a_page_of_its_own():
    rows = Rows(row(1, filler=5000), row(2), row(3, filler=5000))
    assert sum(len(page) for page in pages(Referrers(rows, 1000))) == 3


def test_more_rows_than_a_batch_are_read_in_batches(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 4)
    rows = Rows(*(row(number) for number in range(10)))
    assert [len(page) for page in pages(Referrers(rows))] == [10]
    assert rows.asked == 3


def test_no_referrers_are_one_empty_page():
    assert pages(Referrers(Rows())) == [[]]


def test_a_filter_reaches_the_rows():
    rows = Rows(row(1), row(2, artifact_type="c/d"))
    assert pages(Referrers(rows), "c/d") == [[str(digest_of(b"2"))]]


@pytest.mark.parametrize("artifact_type", [None, ""])
def test_what_is_not_there_is_left_out(artifact_type):
    document = json.loads(encode_descriptor(row(7, artifact_type=artifact_type, annotations={})))
    assert document == {"mediaType": "a/manifest", "digest": str(digest_of(b"7")), "size": 7}


def test_a_descriptor_says_all_it_knows():
    document = json.loads(encode_descriptor(row(7, annotations={"k": "\u00e4"})))
    assert (document["artifactType"], document["annotations"]) == ("a/b", {"k": "\u00e4"})
