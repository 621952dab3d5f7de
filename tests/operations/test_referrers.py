"""The operation on referrers: pages by size, and descriptors as the specification wants them."""

import asyncio
import json

import pytest

from simple_registry.oci.descriptors import ReferrerDescriptor
from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import parse_repository_name
from simple_registry.operations.referrers import MAX_LARGE_PAGES, SMALL_PAGE, Referrers, encode_descriptor

A = parse_repository_name("a")
SUBJECT = digest_of(b"subject")

real = asyncio.to_thread


def row(number, filler=0, **further):
    annotations = json.dumps({"filler": "x" * filler}).encode()
    fields = {"artifact_type": "a/b", "annotations": annotations} | further
    return ReferrerDescriptor("a/manifest", digest_of(str(number).encode()), number, **fields)


class Rows:
    """Referrers in order of digest; a page of them has some more bytes than was asked for."""

    def __init__(self, *rows):
        self.rows = sorted(rows, key=lambda each: str(each.digest))
        self.sizes = []

    async def page_referrers(self, repository, subject, *, artifact_type, after, size):
        self.sizes.append(size)
        found = [each for each in self.rows if artifact_type in (None, each.artifact_type)]
        found = [each for each in found if after is None or str(each.digest) > str(after)]
        page = []
        while found and size > 0:
            page.append(found.pop(0))
            size -= len(page[-1].annotations)
        return page, bool(found)


def page_of(referrers, artifact_type=None, last=None):
    return asyncio.run(referrers.page(A, SUBJECT, artifact_type=artifact_type, last=last))


def pages(referrers, artifact_type=None):
    last, found = None, []
    while True:
        page = page_of(referrers, artifact_type, last)
        found.append([json.loads(each)["digest"] for each in page.descriptors])
        if page.last is None:
            return found
        last = page.last


@pytest.mark.parametrize("page_size", [1, 300, 1000, 10_000])
def test_pages_of_any_size_have_each_referrer_once(page_size):
    rows = Rows(*(row(number, filler=100) for number in range(12)))
    found = pages(Referrers(rows, page_size))
    assert [digest for page in found for digest in page] == [str(each.digest) for each in rows.rows]
    assert all(found)


def test_a_page_is_bounded_in_bytes():
    referrers = Referrers(Rows(*(row(number, filler=100) for number in range(12))), 1000)
    page = page_of(referrers)
    assert page.last is not None
    assert sum(map(len, page.descriptors)) + len(page.descriptors) <= 1001


def test_a_descriptor_larger_than_a_page_has_a_page_of_its_own():
    rows = Rows(row(1, filler=5000), row(2), row(3, filler=5000))
    assert sum(len(page) for page in pages(Referrers(rows, 1000))) == 3


def test_a_large_page_is_encoded_in_a_thread(monkeypatch):
    rows = Rows(row(1, filler=SMALL_PAGE), row(2))
    threads = []
    monkeypatch.setattr(
        asyncio, "to_thread", lambda call, *what, **how: threads.append(call) or real(call, *what, **how)
    )
    rows.rows.sort(key=lambda each: -len(each.annotations))
    assert len(pages(Referrers(rows))[0]) == 2
    rows.rows.pop()
    assert len(pages(Referrers(rows))[0]) == 1
    assert len(threads) == 1


def test_large_pages_are_made_two_at_a_time_and_small_ones_at_once():
    class Slow(Rows):
        made = most = 0

        async def page_referrers(self, *which, size, **further):
            if size > SMALL_PAGE:
                self.made += 1
                self.most = max(self.most, self.made)
                await asyncio.sleep(0.01)
                self.made -= 1
            return await super().page_referrers(*which, size=size, **further)

    rows = Slow(*(row(number, filler=SMALL_PAGE) for number in range(2)))
    referrers = Referrers(rows)

    async def ask(artifact_type):
        return await referrers.page(A, SUBJECT, artifact_type=artifact_type, last=None)

    async def scenario():
        large = [asyncio.create_task(ask(None)) for _ in range(20)]
        await asyncio.sleep(0)
        assert (await asyncio.wait_for(ask("none/such"), 5)).descriptors == []
        assert not any(task.done() for task in large)
        return await asyncio.gather(*large)

    assert {len(page.descriptors) for page in asyncio.run(scenario())} == {2}
    assert rows.most == MAX_LARGE_PAGES == 2


def test_no_more_is_read_than_a_page_holds():
    rows = Rows(*(row(number, filler=SMALL_PAGE) for number in range(12)))
    pages(Referrers(rows, 2 * SMALL_PAGE))
    assert set(rows.sizes) == {SMALL_PAGE, 2 * SMALL_PAGE}


def test_no_referrers_are_one_empty_page():
    assert pages(Referrers(Rows())) == [[]]


def test_a_filter_reaches_the_rows():
    rows = Rows(row(1), row(2, artifact_type="c/d"))
    assert pages(Referrers(rows), "c/d") == [[str(digest_of(b"2"))]]


@pytest.mark.parametrize("artifact_type", [None, ""])
def test_absent_fields_are_omitted(artifact_type):
    document = json.loads(encode_descriptor(row(7, artifact_type=artifact_type, annotations=b"{}")))
    assert document == {"mediaType": "a/manifest", "digest": str(digest_of(b"7")), "size": 7}


def test_a_descriptor_has_all_present_fields():
    document = json.loads(encode_descriptor(row(7, annotations='{"k":"\u00e4"}'.encode())))
    assert (document["artifactType"], document["annotations"]) == ("a/b", {"k": "\u00e4"})


def test_a_small_page_has_rows():
    rows = Rows(*(row(number, filler=SMALL_PAGE // 2) for number in range(4)))
    found, more = asyncio.run(Referrers(rows).small_page(A, SUBJECT, last=None))
    assert (len(found), more) == (2, True)
    assert asyncio.run(Referrers(rows).small_page(A, SUBJECT, last=found[-1].digest))[0] == rows.rows[2:]
