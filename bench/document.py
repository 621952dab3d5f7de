"""The measured part of docs/performance.md, between two marks; the words around it are written by hand."""

from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def placed(text: str, measured: str) -> str:
    """Return the document with what was measured in the place of what was measured before."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{BEGIN} and {END} are not there")
    return f"{before}{BEGIN}\n\n{measured.strip()}\n\n{END}{after}"


def write(measured: str) -> None:
    """Put a run into the document."""
    DOCUMENT.write_text(placed(DOCUMENT.read_text(), measured))
