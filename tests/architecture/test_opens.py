"""Files are made in a few places, and never through a link that another user may have put there."""

import ast

import pytest

from support.sources import modules

MODULES = modules()
FOLLOWS = {"server.audit_file": "the operator names the file, which may be a link to /dev/stderr"}
WRITERS = {
    "server.live_certificate": "into a new directory that only we can enter, where memory has no files",
}
"""Modules that write to files by other means than `os.open`."""
_SAFE = {"O_NOFOLLOW", "O_EXCL"}
_WRITING = {"write_text", "write_bytes", "touch"}
_GIVING = {"chown", "fchown", "lchown"}


def attributes(node):
    return {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def assigned(tree, name):
    """Return what a name of a module is set to, wherever that is."""
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets)
    ]


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            yield owner, node.func.attr, node


def flags_of(tree, call):
    """Return the flags of an `os.open`, with those behind names."""
    names = {each.id for each in ast.walk(call.args[1]) if isinstance(each, ast.Name)}
    return set().union(
        attributes(call.args[1]), *(attributes(value) for name in names for value in assigned(tree, name))
    )


def creating(path):
    tree = ast.parse(path.read_text("utf-8"))
    return [
        flags
        for owner, name, call in calls(tree)
        if (owner, name) == ("os", "open") and "O_CREAT" in (flags := flags_of(tree, call))
    ]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_file_is_never_made_through_a_link(module):
    unsafe = [sorted(flags) for flags in creating(MODULES[module]) if not flags & _SAFE]
    assert bool(unsafe) is (module in FOLLOWS), unsafe


def test_the_rule_sees_the_places_where_files_are_made():
    found = {module for module, path in MODULES.items() if creating(path)}
    assert found >= {"storage.filesystem.disk", "storage.sqlite.engine.connections", "storage.sqlite.engine.migrate"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_file_is_given_to_another_user(module):
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    assert [name for owner, name, _ in calls(tree) if owner in {"os", "shutil"} and name in _GIVING] == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_files_are_written_through_descriptors(module):
    """A `Path` follows links; and the built-in `open` would too."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    writing = [name for owner, name, _ in calls(tree) if name in _WRITING and owner.endswith("path")]
    opened = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", "") == "open" or getattr(node.func, "attr", "") == "open")
        and any(
            isinstance(word, ast.Constant)
            and isinstance(word.value, str)
            and set(word.value) & set("wax+")
            and len(word.value) <= 3
            for word in node.args
        )
    ]
    assert bool(writing or opened) is (module in WRITERS)
