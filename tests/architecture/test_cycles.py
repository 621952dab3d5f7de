"""No module imports itself, directly or through others, not even for the type checker."""

from graphlib import CycleError, TopologicalSorter

from support.sources import PACKAGE, imports, modules

MODULES = modules()


def imported_modules(path):
    """Return the modules of this program that a module imports, at any place in it."""
    names = [name.removeprefix(f"{PACKAGE}.") for name in imports(path) if name.startswith(f"{PACKAGE}.")]
    # `from package import name` names a module of the package, or something in it.
    return {name if name in MODULES else name.rpartition(".")[0] for name in names} - {""}


def test_no_modules_import_each_other():
    try:
        TopologicalSorter({name: imported_modules(path) for name, path in MODULES.items()}).prepare()
    except CycleError as error:
        raise AssertionError(" imports ".join(error.args[1][::-1])) from None


def test_the_test_sees_the_imports():
    assert "storage.protocols.holdings" in imported_modules(MODULES["operations.blobs"])
    assert "http.handlers.blobs" in imported_modules(MODULES["http.routes"])
