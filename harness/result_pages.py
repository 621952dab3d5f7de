"""Generated pages below docs/results: one command writes a page as a whole, and it is not edited by hand."""

from pathlib import Path

from harness import ROOT

FOLDER = ROOT / "docs" / "results"


def publish(name: str, command: str, text: str, folder: Path = FOLDER) -> None:
    """Write the page `name`, which `command` makes, and which the page of that name one folder up explains."""
    title = name.capitalize()
    note = f"Written by `{command}`. [{title}](../{name}.md) explains it."
    (folder / f"{name}.md").write_text(f"# {title}: results\n\n{note}\n\n{text.strip()}\n")
