"""A cache that is bounded by bytes: the least recently used go first, and nothing exceeds the bound."""

from hypothesis import given, strategies as st

from simple_registry.bounded_cache import BoundedCache

entries = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), max_size=60)


@given(entries)
def test_entries_never_cost_more_than_the_capacity(kept):
    cache = BoundedCache(100)
    known = {}
    for key, cost in kept:
        cache.keep(key, f"{key} {cost}", cost)
        known[key] = cost
        assert cache.size <= 100
        assert cache.find(key) == f"{key} {cost}"
        assert cache.size == sum(known[each] for each in range(10) if cache.find(each) is not None)


def test_least_recently_used_entries_are_evicted_first():
    cache = BoundedCache(3)
    for key in "abc":
        cache.keep(key, key, 1)
    assert cache.find("a") == "a"
    cache.keep("d", "d", 2)
    assert [key for key in "abcd" if cache.find(key)] == ["a", "d"]


def test_an_entry_larger_than_the_cache_evicts_only_its_own_key():
    cache = BoundedCache(3)
    cache.keep("a", "old", 1)
    cache.keep("b", "b", 1)
    cache.keep("a", "new", 4)
    assert (cache.find("a"), cache.find("b")) == (None, "b")
    assert (len(cache), cache.size) == (1, 1)


def test_a_dropped_entry_costs_nothing():
    cache = BoundedCache(3)
    cache.keep("a", "a", 3)
    cache.drop("a")
    cache.drop("a")
    assert (cache.find("a"), cache.size) == (None, 0)
