import re

from harness import ROOT
from harness.result_pages import FOLDER, publish

NOTE = r"Written by `make ([a-z-]+)`. \[[A-Z][a-z]+\]\(\.\./([a-z]+\.md)\) explains it\."


def test_a_page_names_its_command_and_the_page_that_explains_it(tmp_path):
    publish("clients", "make clients-table", "\n| a |\n\n", tmp_path)
    note = "Written by `make clients-table`. [Clients](../clients.md) explains it."
    assert (tmp_path / "clients.md").read_text() == f"# Clients: results\n\n{note}\n\n| a |\n"


def test_a_page_can_explain_several(tmp_path):
    publish("collection", "make bench-collection", "text", tmp_path, explained_in="performance")
    assert "[Performance](../performance.md) explains it." in (tmp_path / "collection.md").read_text()


def test_every_page_is_one_of_the_makefile_and_is_explained():
    makefile = (ROOT / "Makefile").read_text()
    for page in FOLDER.iterdir():
        command, explained = re.fullmatch(NOTE, page.read_text().splitlines()[2]).groups()
        assert f"\n{command}:" in makefile
        assert f"results/{page.name}" in (FOLDER.parent / explained).read_text()
