"""Reserved bytes are bounded in total and for each address."""

from hypothesis import given, strategies as st

from simple_registry.wire.budget import Budget


def test_an_address_is_limited_to_its_share():
    budget = Budget(100, 40)
    assert budget.reserve("a", 40)
    assert not budget.reserve("a", 1)
    assert budget.reserve("b", 40)
    assert not budget.reserve("c", 21)
    assert budget.reserve("c", 20)
    assert budget.held == 100


def test_released_bytes_can_be_reserved_again():
    budget = Budget(100, 40)
    budget.reserve("a", 40)
    budget.release("a", 15)
    assert not budget.reserve("a", 16)
    assert budget.reserve("a", 15)


def test_without_an_account_only_the_total_applies():
    budget = Budget(100, 40)
    assert budget.reserve(None, 100)
    assert not budget.reserve(None, 1)
    budget.release(None, 100)
    assert budget.held == 0


def test_has_room_predicts_reserve():
    budget = Budget(100, 40)
    budget.reserve("a", 30)
    assert budget.has_room("a", 10)
    assert not budget.has_room("a", 11)
    assert budget.has_room("b", 40)
    budget.reserve(None, 60)
    assert budget.has_room(None, 10)
    assert not budget.has_room("b", 11)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 60))))
def test_reserving_and_releasing_leaves_nothing(sizes):
    budget = Budget(100, 40)
    taken = [(account, size) for account, size in sizes if budget.reserve(account, size)]
    assert budget.held == sum(size for _, size in taken) <= 100
    for account, size in taken:
        budget.release(account, size)
    assert budget.held == 0
    assert budget.reserve("a", 40)
