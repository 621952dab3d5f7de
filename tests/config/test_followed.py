"""A value that follows files, asked with a fake of the files."""

import pytest

from simple_registry.config.followed import POLLS_TO_RETRY, Followed, Poll
from simple_registry.config.values import ConfigError


class Files:
    """A fake of the files: what loading them gives, or raises, and how often it was tried."""

    def __init__(self):
        self.content = "old"
        self.state = 0
        self.loads = 0
        self.meanwhile = []
        """Changes of the files during a load, one after the other."""

    def load(self, _known):
        self.loads += 1
        content = self.content
        if self.meanwhile:
            self.become(self.meanwhile.pop(0))
        if isinstance(content, Exception):
            raise content
        return content

    def become(self, content):
        self.content = content
        self.state += 1

    def followed(self):
        return Followed(self.load, lambda: self.state)


def polls(followed, times):
    return [followed.poll() for _ in range(times)]


def test_files_are_loaded_once_and_again_only_when_they_change():
    files = Files()
    followed = files.followed()
    assert polls(followed, 3) == [Poll.UNCHANGED] * 3
    assert (followed.value, followed.stale, files.loads) == ("old", None, 1)
    files.become("new")
    assert polls(followed, 4) == [Poll.UNCHANGED, Poll.LOADED, Poll.UNCHANGED, Poll.UNCHANGED]
    assert (followed.value, followed.stale, files.loads) == ("new", None, 2)


def test_files_that_change_between_polls_are_not_loaded():
    files = Files()
    followed = files.followed()
    for _ in range(5):
        files.become("half")
        assert followed.poll() is Poll.UNCHANGED
    files.become("new")
    assert polls(followed, 2) == [Poll.UNCHANGED, Poll.LOADED]
    assert (followed.value, files.loads) == ("new", 2)


def test_files_that_change_during_a_load_are_not_used():
    files = Files()
    followed = files.followed()
    files.become("half")
    files.meanwhile = ["new"]
    assert polls(followed, 2) == [Poll.UNCHANGED, Poll.UNCHANGED]
    assert followed.value == "old"
    assert polls(followed, 2) == [Poll.UNCHANGED, Poll.LOADED]
    assert followed.value == "new"


def test_files_that_change_during_the_first_load_are_loaded_again():
    files = Files()
    files.content, files.meanwhile = "half", ["new"]
    assert files.followed().value == "new"


def test_files_that_change_at_each_look_are_a_problem_until_they_rest():
    files = Files()
    followed = files.followed()
    for _ in range(POLLS_TO_RETRY):
        files.become("half")
        last = followed.poll()
    assert last is Poll.REFUSED
    assert (followed.value, followed.stale) == ("old", "the files change all the time")
    assert followed.poll() is Poll.LOADED
    assert (followed.value, followed.stale) == ("half", None)


def test_files_that_change_at_each_load_are_refused_at_the_start():
    files = Files()
    files.meanwhile = ["half"] * 20
    with pytest.raises(ConfigError, match="the files change while they are read"):
        files.followed()


def test_unfinished_files_are_not_loaded():
    files, reasons = Files(), []
    followed = Followed(files.load, lambda: files.state, unfinished=lambda: reasons[-1] if reasons else None)
    files.become("half")
    reasons.append("a.yaml: it is open")
    assert polls(followed, 4) == [Poll.UNCHANGED, Poll.REFUSED, Poll.UNCHANGED, Poll.UNCHANGED]
    assert (followed.value, followed.stale, files.loads) == ("old", "a.yaml: it is open", 1)
    with pytest.raises(ConfigError, match="it is open"):
        Followed(files.load, lambda: files.state, followed.value, unfinished=followed.unfinished)
    reasons.clear()
    assert followed.poll() is Poll.LOADED
    assert (followed.value, followed.stale) == ("half", None)


def test_a_writer_that_took_long_is_not_taken_for_files_that_change_all_the_time():
    files, reasons = Files(), ["a.yaml: it is open"]
    followed = Followed(files.load, lambda: files.state, unfinished=lambda: reasons[-1] if files.state else None)
    files.become("half")
    polls(followed, 2 * POLLS_TO_RETRY - 1)
    files.become("whole")
    reasons.append(None)
    assert polls(followed, 2) == [Poll.UNCHANGED, Poll.LOADED]
    assert (followed.value, followed.stale) == ("whole", None)


def test_files_that_do_not_load_are_refused_at_the_start():
    files = Files()
    files.become(ConfigError("a.yaml:1: wrong"))
    with pytest.raises(ConfigError, match="wrong"):
        files.followed()


def test_files_that_do_not_load_keep_the_old_value_and_give_a_reason():
    files = Files()
    followed = files.followed()
    files.become(ConfigError("a.yaml:1: wrong"))
    assert polls(followed, 3) == [Poll.UNCHANGED, Poll.REFUSED, Poll.UNCHANGED]
    assert (followed.value, followed.stale) == ("old", "a.yaml:1: wrong")
    files.become("new")
    assert polls(followed, 2) == [Poll.UNCHANGED, Poll.LOADED]
    assert (followed.value, followed.stale) == ("new", None)


def test_a_failed_load_is_retried_without_a_change_of_files():
    files = Files()
    followed = files.followed()
    files.become(ConfigError("cannot read a.yaml: Too many open files"))
    polls(followed, 2)
    files.content = "new"
    assert polls(followed, POLLS_TO_RETRY) == [Poll.UNCHANGED] * (POLLS_TO_RETRY - 1) + [Poll.LOADED]
    assert (followed.value, followed.stale, files.loads) == ("new", None, 3)
    polls(followed, 2 * POLLS_TO_RETRY)
    assert files.loads == 3


@pytest.mark.parametrize("fails", ["load", "signature"])
def test_an_internal_error_keeps_the_old_value_and_is_logged_with_its_traceback(monkeypatch, caplog, fails):
    files = Files()
    followed = files.followed()

    def defect(*_):
        raise RuntimeError("a defect")

    files.become("new")
    monkeypatch.setattr(followed, f"_{fails}", defect)
    assert polls(followed, 2)[-1] is Poll.REFUSED
    assert followed.value == "old"
    assert "see the log" in followed.stale
    assert "RuntimeError: a defect" in caplog.text
    monkeypatch.undo()
    polls(followed, POLLS_TO_RETRY)
    assert (followed.value, followed.stale) == ("new", None)
