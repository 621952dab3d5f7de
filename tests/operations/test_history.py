"""Reading the journal: pages that hold only what the caller may see, and past targets of tags."""

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import HistoryUnknown
from simple_registry.oci.names import Tag, parse_repository_name
from simple_registry.operations.cutoffs import Cutoffs
from simple_registry.operations.history import BATCH, MAX_EXAMINED, History, Pruning, event_document
from support.documents import push_image, push_tags

A, B = parse_repository_name("a"), parse_repository_name("b")
V1 = Tag("v1")


@pytest.fixture
def history(front):
    rows = front.kept.stores.rows
    return History(rows.journal, rows.manifests, front.clock)


def everything(_event):
    return True


def test_pages_lead_from_the_newest_event_to_the_oldest(front, history):
    push_tags(front, "a", ["x", "y", "z"])
    push_image(front, "b", "v1")
    first = front.run(history.page(A, None, before=None, limit=2, visible=everything))
    assert [event.tag for event in first.events] == ["z", "y"]
    assert first.more
    second = front.run(history.page(A, None, before=first.next, limit=2, visible=everything))
    assert [event.tag for event in second.events] == ["x"]
    assert not second.more


def test_more_follows_only_if_it_is_visible(front, history):
    push_tags(front, "a", ["x", "y", "z"])
    alone = front.run(history.page(A, None, before=None, limit=1, visible=lambda event: event.tag == "z"))
    assert ([event.tag for event in alone.events], alone.more) == (["z"], False)
    one_of_two = front.run(history.page(A, None, before=None, limit=1, visible=lambda event: event.tag != "y"))
    assert ([event.tag for event in one_of_two.events], one_of_two.more) == (["z"], True)


def test_the_history_of_a_tag_has_no_other_events(front, history):
    push_tags(front, "a", ["x", "y"])
    page = front.run(history.page(A, Tag("x"), before=None, limit=9, visible=everything))
    assert [event.tag for event in page.events] == ["x"]


def test_a_feed_continues_where_it_ended_and_omits_what_is_hidden(front, history):
    push_tags(front, "a", ["x", "y"])
    push_image(front, "b", "v1")

    def of_b(event):
        return event.repository == B

    page = front.run(history.feed(after=0, limit=9, visible=of_b))
    assert [event.repository for event in page.events] == [B]
    assert front.run(history.feed(after=0, limit=9, visible=lambda _: False)).next == page.next == 3
    again = front.run(history.feed(after=page.next, limit=9, visible=everything))
    assert (again.events, again.next, again.more) == ([], page.next, False)


def test_a_search_is_bounded_and_says_where_to_continue(history, front):
    class Endless:
        async def page_events(self, after, limit):
            return [Numbered(after + number + 1) for number in range(limit)]

    class Numbered:
        def __init__(self, number):
            self.id = number

    endless = History(Endless(), None, front.clock)
    page = front.run(endless.feed(after=7, limit=1, visible=lambda _: False))
    assert (page.events, page.next, page.more) == ([], 7 + MAX_EXAMINED // BATCH * BATCH, True)


def test_the_target_of_a_tag_at_a_time(front, history):
    old = digest_of(push_image(front, "a", "v1", b"old"))
    start = front.clock.now()
    front.clock.advance(60)
    new = digest_of(push_image(front, "a", "v1", b"new"))
    front.clock.advance(60)
    front.delete("/v2/a/manifests/v1")
    for later, target in ((-1, None), (0, old), (59, old), (60, new), (120, None), (9999, None)):
        assert front.run(history.resolve(A, V1, start + later)) == target
    assert front.run(history.resolve(A, Tag("none"), start)) is None


def test_a_tag_older_than_the_journal_had_the_target_that_it_had_first(front, history):
    rows = front.kept.stores.rows
    old = digest_of(push_image(front, "a", "v1", b"old"))
    new = digest_of(push_image(front, "a", "other", b"new"))
    front.clock.advance(60)
    front.run(rows.journal.prune(front.clock.now(), limit=9, restorable=0, size=9, future=9e9))
    assert front.run(history.resolve(A, V1, front.clock.now())) == old
    with pytest.raises(HistoryUnknown):
        front.run(history.resolve(A, V1, 0))
    assert new != old


def test_old_events_are_removed_but_none_that_can_be_undone(front):
    rows, clock = front.kept.stores.rows, front.clock
    push_tags(front, "a", ["x", "y", "z"])
    clock.advance(3600)
    push_tags(front, "a", ["u", "v"])

    def prune(**how):
        return front.run(Pruning(rows.journal, Cutoffs(clock), **how).prune())

    assert prune(keep=600.0, size=99, grace=7200.0) == 0
    assert prune(keep=7200.0, size=2, grace=7200.0) == 0
    assert prune(keep=7200.0, size=4, grace=600.0) == 1
    assert prune(keep=600.0, size=99, grace=600.0) == 2
    assert len(front.run(rows.journal.page_events(0, 9))) == 2


def test_an_event_as_json(front, history):
    digest = str(digest_of(push_image(front, "a", "v1")))
    (event,) = front.run(history.page(A, V1, before=None, limit=9, visible=everything)).events
    document = event_document(event)
    assert document.pop("request")
    assert document == {
        "id": 1,
        "time": "2023-11-14T22:13:20.000Z",
        "action": "tag.set",
        "repository": "a",
        "tag": "v1",
        "before": None,
        "after": digest,
        "identity": "admin",
        "credential": "password",
        "cause": None,
    }
