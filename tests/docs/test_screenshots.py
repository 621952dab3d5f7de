"""The pictures of web pages: those that `make screenshots` takes, and small."""

from browser.screenshots import FOLDER, pictures

MAX_BYTES = 2_000_000


def test_there_is_each_picture_and_no_other():
    assert {path.name for path in FOLDER.iterdir()} == {picture.name for picture in pictures()}


def test_all_together_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MAX_BYTES
