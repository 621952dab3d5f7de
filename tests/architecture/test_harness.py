"""`harness`, `faults` and `bench` import nothing from `tests`, and each other in one direction only."""

import pytest

from support.sources import ROOT, imports

ALLOWED = {
    "harness": {"harness"},
    "faults": {"harness", "faults"},
    "bench": {"harness", "bench"},
}
OWN = {"tests", *ALLOWED, *(path.parent.name for path in (ROOT / "tests").glob("*/__init__.py"))}


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_folder_beside_the_source_imports_only_what_lies_below_it(folder):
    foreign = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / folder).rglob("*.py")
        for name in imports(path)
        if (top := name.split(".")[0]) in OWN and top not in ALLOWED[folder]
    }
    assert foreign == set()
