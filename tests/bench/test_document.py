import pytest

from bench.document import BEGIN, DOCUMENT, END, placed


def test_a_run_takes_the_place_of_the_last_one_and_words_stay():
    once = placed(f"words\n{BEGIN}\nold\n{END}\nmore\n", "new\n")

    assert once == f"words\n{BEGIN}\n\nnew\n\n{END}\nmore\n"
    assert placed(once, "new") == once


def test_a_document_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="not there"):
        placed("words\n", "new")


def test_the_document_has_the_marks():
    assert "x" in placed(DOCUMENT.read_text(), "x")
