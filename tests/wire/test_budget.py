"""Bytes held for clients: bounded together, and for each address."""

from hypothesis import given, strategies as st

from simple_registry.wire.budget import Budget


def test_an_address_has_its_share_and_others_the_rest():
    budget = Budget(100, 40)
    assert budget.take("a", 40)
    assert not budget.take("a", 1)
    assert budget.take("b", 40)
    assert not budget.take("c", 21)
    assert budget.take("c", 20)
    assert budget.held == 100


def test_what_is_released_can_be_taken_again():
    budget = Budget(100, 40)
    budget.take("a", 40)
    budget.release("a", 15)
    assert not budget.take("a", 16)
    assert budget.take("a", 15)


def test_without_an_account_only_the_total_counts():
    budget = Budget(100, 40)
    assert budget.take(None, 100)
    assert not budget.take(None, 1)
    budget.release(None, 100)
    assert budget.held == 0


def test_room_can_be_asked_for():
    budget = Budget(100, 40)
    budget.take("a", 30)
    assert budget.has_room("a", 10)
    assert not budget.has_room("a", 11)
    assert budget.has_room("b", 40)
    budget.take(None, 60)
    assert budget.has_room(None, 10)
    assert not budget.has_room("b", 11)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 60))))
def test_whatever_is_taken_and_released_nothing_stays(sizes):
    budget = Budget(100, 40)
    taken = [(account, size) for account, size in sizes if budget.take(account, size)]
    assert budget.held == sum(size for _, size in taken) <= 100
    for account, size in taken:
        budget.release(account, size)
    assert budget.held == 0
    assert budget.take("a", 40)
