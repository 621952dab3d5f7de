from harness import ROOT
from harness.result_pages import FOLDER, publish


def test_a_page_names_its_command_and_the_page_that_explains_it(tmp_path):
    publish("clients", "make clients-table", "\n| a |\n\n", tmp_path)
    note = "Written by `make clients-table`. [Clients](../clients.md) explains it."
    assert (tmp_path / "clients.md").read_text() == f"# Clients: results\n\n{note}\n\n| a |\n"


def test_every_page_is_one_of_the_makefile_and_is_explained():
    makefile = (ROOT / "Makefile").read_text()
    for page in FOLDER.iterdir():
        command, explained = page.read_text().splitlines()[2].split("`")[1], FOLDER.parent / page.name
        assert f"\n{command.removeprefix('make ')}:" in makefile
        assert f"results/{page.name}" in explained.read_text()
