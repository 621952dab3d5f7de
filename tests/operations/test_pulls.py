"""The last pulls of tags are recorded, seldom and beside the answers."""

from simple_registry.access.retention import PULL_INTERVAL
from simple_registry.faults import StorageFull
from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations import pulls as module
from simple_registry.operations.pulls import Pulls
from support.documents import push_image

REPOSITORY = RepositoryName("a")


def pulled(front):
    """Record what was noted, and return when each tag was pulled."""
    front.run(front.services.registry.pulls.write())
    return {row.tag: row.pulled for row in front.run(front.kept.stores.rows.tag_times.dated_tags(REPOSITORY))}


def test_reading_a_tag_in_any_way_is_a_pull(front, clock):
    tags = ["got", "asked", "unmodified", "left"]
    digest = digest_of([push_image(front, "a", tag, tag.encode()) for tag in tags][2])
    front.get("/v2/a/manifests/got")
    front.head("/v2/a/manifests/asked")
    assert front.get("/v2/a/manifests/unmodified", headers={"if-none-match": f'"{digest}"'}).status == 304
    front.get("/v2/a/manifests/none")
    front.get("/v2/a/tags/list")
    assert pulled(front) == {"got": clock.now(), "asked": clock.now(), "unmodified": clock.now(), "left": None}


def test_a_pull_by_digest_counts_for_the_tags_that_point_there(front, clock):
    digest = digest_of(push_image(front, "a", "v1"))
    push_image(front, "a", "v2", b"other")
    front.get(f"/v2/a/manifests/{digest}")
    assert pulled(front) == {"v1": clock.now(), "v2": None}


def test_a_tag_is_written_once_an_hour(front, clock):
    push_image(front, "a", "v1")
    first = clock.now()
    for seconds, expected in ((0, first), (PULL_INTERVAL - 1, first), (2, first + PULL_INTERVAL + 1)):
        clock.advance(seconds)
        front.get("/v2/a/manifests/v1")
        assert pulled(front)["v1"] == expected


def test_nothing_is_written_before_its_time_nor_twice(front):
    push_image(front, "a", "v1")
    front.get("/v2/a/manifests/v1")
    assert front.run(front.kept.stores.rows.tag_times.dated_tags(REPOSITORY))[0].pulled is None
    pulled(front)
    with front.unchanged():
        front.get("/v2/a/manifests/v1")
        pulled(front)


class Rows:
    """Rows on a disk that may be full."""

    def __init__(self):
        self.written = []
        self.full = False

    async def record_pulls(self, pulls, *, apart):
        if self.full:
            raise StorageFull("write rows", "no space left")
        self.written.append([pull.reference for pull in pulls])


def test_what_cannot_be_written_waits(front, clock):
    rows = Rows()
    pulls = Pulls(rows, clock)
    rows.full = True
    pulls.note(REPOSITORY, Tag("v1"))
    front.run(pulls.write())
    rows.full = False
    pulls.note(REPOSITORY, Tag("v2"))
    front.run(pulls.write())
    front.run(pulls.write())
    assert rows.written == [["v1", "v2"]]


def test_memory_is_bounded(front, clock, monkeypatch):
    monkeypatch.setattr(module, "MAX_NOTED", 3)
    rows = Rows()
    pulls = Pulls(rows, clock)
    for number in range(10):
        pulls.note(REPOSITORY, Tag(f"v{number}"))
    front.run(pulls.write())
    assert rows.written == [["v0", "v1", "v2"]]
    assert len(pulls._noted) <= 3
