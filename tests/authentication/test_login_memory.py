"""The memory of logins is keyed, of a fixed size, and shared with forked processes."""

import os

from hypothesis import given, strategies as st

from simple_registry.authentication.login_memory import KnownLogin, LoginMemory
from simple_registry.authentication.shared_table import KEY

texts = st.text(max_size=20)


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_texts_cannot_be_shifted_into_each_other(one, other):
    memory = LoginMemory()
    assert (memory.mark(*one) == memory.mark(*other)) == (one == other)


def test_a_key_has_one_size_and_depends_on_the_server():
    assert {len(LoginMemory().mark("x" * size)) for size in (0, 1, 100_000)} == {KEY}
    assert LoginMemory().mark("ada") != LoginMemory().mark("ada")


def test_known_logins_are_there_from_the_start():
    memory = LoginMemory([KnownLogin("ada", "192.0.2.1", 20_000)])
    assert memory.known.find(memory.mark("ada", "192.0.2.1"))[0] == 20_000
    assert memory.known.find(memory.mark("ada", "192.0.2.2")) is None


def test_only_one_process_is_the_first_to_log():
    memory = LoginMemory()
    child = os.fork()
    if child == 0:
        os._exit(0 if memory.first("a warning") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not memory.first("a warning")
    assert memory.first("another")
