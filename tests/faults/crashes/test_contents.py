"""Content follows from its numbers, and a document names its parts."""

from faults.crashes.contents import Content, image, index, parts_of


def test_the_same_numbers_give_the_same_bytes_and_others_give_others():
    assert Content(1, 2).data() == Content(1, 2).data()
    assert len({Content(seed, number).digest for seed in range(5) for number in range(5)}) == 25


def test_the_parts_of_a_document_are_read_from_its_bytes():
    config, layer = Content(1, 1), Content(1, 2)
    document = image(config, [layer], "note")
    assert parts_of(document.data) == ([config.digest, layer.digest], [])
    assert parts_of(index([document], "note").data) == ([], [document.digest])
    assert image(config, [], "note", document).subject == document.digest
