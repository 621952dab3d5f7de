"""Filling a page past what may not be seen, as a property against the whole list."""

import asyncio

from hypothesis import given, strategies as st

from simple_registry.operations import pages
from simple_registry.operations.pages import fill_page as fill, visible_of


def fill_page(query, visible, last, limit):
    async def seen(items):
        return [item for item in items if visible(item)]

    return asyncio.run(fill(query, seen, last, limit, large=asyncio.Semaphore(1)))


names = st.lists(st.text("abc", min_size=1, max_size=4), unique=True).map(sorted)


def query_of(items, asked=None):
    async def query(after, size):
        if asked is not None:
            asked.append(size)
        return [item for item in items if after is None or item > after][:size]

    return query


@given(names, st.integers(0, 12), st.none() | st.text("abc", max_size=4), st.sets(st.sampled_from("abc")))
def test_a_page_is_a_piece_of_the_visible_list(items, limit, last, hidden):
    def visible(item):
        return item[0] not in hidden

    page = fill_page(query_of(items), visible, last, limit)
    expected = [item for item in items if visible(item) and (last is None or item > last)]
    assert list(page.items) == expected[:limit]
    assert page.more == (limit > 0 and len(expected) > limit)


@given(names, st.integers(1, 5), st.sets(st.sampled_from("abc")))
def test_successive_pages_have_every_visible_item_once(items, limit, hidden):
    seen, last, more = [], None, True
    while more:
        page = fill_page(query_of(items), lambda item: item[0] not in hidden, last, limit)
        seen += page.items
        more, last = page.more, page.items[-1] if page.items else None
    assert seen == [item for item in items if item[0] not in hidden]


def test_a_page_reads_one_row_more_than_it_shows():
    asked = []
    fill_page(query_of([f"{number:03}" for number in range(100)], asked), lambda _: True, None, 10)
    assert asked == [11]


def test_a_page_of_nothing_reads_nothing():
    asked = []
    assert fill_page(query_of(["a"], asked), lambda _: True, None, 0).items == ()
    assert asked == []


def test_hidden_items_are_skipped_in_batches(monkeypatch):
    monkeypatch.setattr(pages, "BATCH", 50)
    asked = []
    items = [f"{number:04}" for number in range(1000)]
    page = fill_page(query_of(items, asked), lambda item: item >= "0990", None, 3)
    assert page.items == ("0990", "0991", "0992")
    assert len(asked) <= 22


def test_other_requests_run_during_a_long_search(monkeypatch):
    monkeypatch.setattr(pages, "BATCH", 10)
    turns = []

    async def other():
        for turn in range(20):
            turns.append(turn)
            await asyncio.sleep(0)

    async def nothing(_items):
        return ()

    async def scenario():
        beside = asyncio.ensure_future(other())
        await fill(query_of([f"{number:03}" for number in range(100)]), nothing, None, 5, large=asyncio.Semaphore(1))
        assert len(turns) >= 5
        await beside

    asyncio.run(scenario())


def test_large_pages_wait_for_each_other_and_small_ones_for_none(monkeypatch):
    monkeypatch.setattr(pages, "BATCH", 10)
    items, filling, most = [f"{number:03}" for number in range(100)], set(), []

    def query(page):
        async def read(after, size):
            if after is not None:
                filling.add(page)
                most.append(len(filling))
            return await query_of(items)(after, size)

        return read

    async def seen(rows):
        return rows

    async def scenario():
        large = asyncio.Semaphore(2)

        async def ask(page):
            found = await fill(query(page), seen, None, 50, large=large)
            filling.discard(page)
            return len(found.items)

        tasks = [asyncio.create_task(ask(page)) for page in range(20)]
        small = await fill(query_of(items), seen, None, 5, large=large)
        assert len(small.items) == 5
        assert not any(task.done() for task in tasks)
        return await asyncio.gather(*tasks)

    assert set(asyncio.run(scenario())) == {50}
    assert max(most) == 2


@given(names, st.sets(st.sampled_from("abc")))
def test_visible_items_keep_their_order(items, hidden):
    def visible(item):
        return item[0] not in hidden

    assert asyncio.run(visible_of(items, visible)) == tuple(filter(visible, items))


def test_other_requests_run_while_visibility_is_decided(monkeypatch):
    monkeypatch.setattr(pages, "TURN", 0.0)
    turns = []

    async def other():
        while True:
            turns.append(len(asked))
            await asyncio.sleep(0)

    asked = []

    async def scenario():
        task = asyncio.create_task(other())
        await visible_of([f"{number}" for number in range(20)], lambda item: not asked.append(item))
        task.cancel()

    asyncio.run(scenario())
    assert turns == list(range(1, 21))
