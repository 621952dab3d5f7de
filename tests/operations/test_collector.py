"""Collections on demand: what they may do, how long, and what is kept of them."""

import pytest

from simple_registry.config.settings import GarbageCollection, Settings
from simple_registry.operations.collection import Swept
from simple_registry.operations.collector import Wanted
from simple_registry.services import build_collector
from simple_registry.storage.records import Origin
from simple_registry.times import format_moment, parse_window
from support.documents import push_image

GRACE = 3600.0
SETTINGS = Settings(garbage_collection=GarbageCollection(grace=GRACE))


@pytest.fixture
def collector(front, clock):
    return build_collector(SETTINGS, front.kept.stores, clock, Origin.REQUEST)


@pytest.fixture
def deleted(front):
    """Push and delete an image of three contents."""
    push_image(front, "a", "v1", b"layer")
    assert front.delete("/api/v1/repositories/a").status == 202


@pytest.mark.usefixtures("deleted")
def test_only_what_is_past_its_grace_is_collected_unless_another_one_is_given(front, collector, clock):
    report = front.run(collector.run(Wanted(), Swept()))
    assert (report.swept, report.complete) == (Swept(), True)
    assert report.restorable_until == clock.now() + GRACE
    report = front.run(collector.run(Wanted(grace=0.0), Swept()))
    assert report.swept.removed.count == 3
    assert report.restorable_until is None


@pytest.mark.usefixtures("deleted")
def test_a_rehearsal_is_right_and_changes_nothing(front, collector):
    wanted = Wanted(grace=0.0)
    with front.unchanged():
        expected = front.run(collector.rehearse(wanted))
    assert expected.dry_run
    assert front.run(collector.last()) == []
    assert front.run(collector.run(wanted, Swept())).swept == expected.swept


def test_manifests_without_a_tag_are_unneeded_if_that_is_wanted(front, collector):
    push_image(front, "a", "v1", b"layer")
    front.delete("/v2/a/manifests/v1")
    assert front.run(collector.run(Wanted(), Swept())).swept.unneeded == 0
    assert front.run(collector.run(Wanted(delete_untagged=True), Swept())).swept.unneeded == 1


@pytest.mark.usefixtures("deleted")
def test_a_collection_ends_with_its_time_and_the_next_one_does_the_rest(front, collector):
    report = front.run(collector.run(Wanted(grace=0.0), Swept(), seconds=0))
    assert (report.swept, report.complete) == (Swept(), False)
    report = front.run(collector.run(Wanted(grace=0.0), Swept(), seconds=60))
    assert (report.swept.removed.count, report.complete) == (3, True)


@pytest.mark.usefixtures("deleted")
def test_the_last_collection_is_kept_with_what_it_did(front, collector, clock):
    front.run(collector.run(Wanted(grace=0.0), Swept()))
    (row,) = front.run(collector.last())
    assert (row.origin, row.ended, row.complete, row.removed.count) == (Origin.REQUEST, clock.now(), True, 3)


@pytest.mark.usefixtures("deleted")
def test_it_says_what_the_server_did_and_does_next(front, clock):
    settings = Settings(garbage_collection=GarbageCollection(grace=GRACE, window=parse_window("02:00-05:00")))
    collector = build_collector(settings, front.kept.stores, clock, Origin.REQUEST)
    said = front.run(collector.described())
    assert (said["last"], said["next"]) == ([], None)
    assert (said["grace"], said["interval"], said["window"]) == ("1h", "10m", "02:00-05:00")
    assert said["restorable"]["until"] == format_moment(clock.now() + GRACE)
    front.run(front.services.garbage.collect())
    clock.advance(60)
    said = front.run(collector.described())
    assert said["last"][0]["origin"] == "schedule"
    assert said["next"] == format_moment(clock.now() + 540)
