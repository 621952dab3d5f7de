import ast
import asyncio

import pytest

from simple_registry.periodic import repeat
from support.sources import modules


def rounds(outcomes):
    """Repeat work that has these outcomes, until it has had them all."""
    left, over = list(outcomes), asyncio.Event()

    async def work():
        outcome = left.pop(0) if left else None
        if not left:
            over.set()
        if outcome is not None:
            raise outcome

    async def scenario():
        task = asyncio.create_task(repeat(work, 0.001, "the work"))
        await asyncio.wait_for(over.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_a_round_that_fails_is_logged_and_followed_by_another(caplog):
    rounds([None, OSError(24, "no room"), None, ValueError("a defect"), None])
    assert caplog.text.count("the work failed; the next round tries again") == 2
    assert "ValueError: a defect" in caplog.text


def test_the_same_failure_over_and_over_is_logged_once_until_a_round_is_done(caplog):
    rounds([OSError(24, "no room")] * 20)
    assert caplog.text.count("the work failed") == 1
    rounds([OSError(24, "no room"), None, OSError(24, "no room"), None])
    assert caplog.text.count("the work failed") == 3


def sleeps_forever(tree):
    """Return whether there is a loop without an end that sleeps."""
    return any(
        isinstance(loop, ast.While)
        and isinstance(loop.test, ast.Constant)
        and any(isinstance(each, ast.Attribute) and each.attr == "sleep" for each in ast.walk(loop))
        for loop in ast.walk(tree)
    )


@pytest.mark.parametrize("module", sorted(modules()))
def test_nothing_else_repeats_by_itself(module):
    """A loop of its own ends with the first failure that its author did not think of."""
    assert sleeps_forever(ast.parse(modules()[module].read_text("utf-8"))) is (module == "periodic")
