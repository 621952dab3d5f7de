"""Processes that use a directory."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from simple_registry.storage.foreign.users import users_of


@contextmanager
def running(name, *words, **how):
    """Run a program of this name that sleeps."""
    script = "import time; time.sleep(60)"
    process = subprocess.Popen([name, "-c", script, *map(str, words)], executable=sys.executable, **how)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "store"
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "file").write_text("x")
    return path


def reasons(store):
    return {user.process: user.reason for user in users_of(store)}


def test_a_process_with_an_open_file_is_found(store):
    with (store / "inner" / "file").open() as file, running("cat", stdin=file) as process:
        assert reasons(store) == {process.pid: "it has files open there"}


def test_this_process_and_its_ancestors_do_not_count(store):
    with (store / "inner" / "file").open():
        assert reasons(store) == {}


@pytest.mark.parametrize("words", [["{}"], ["--root={}"], ["--root", "store"]])
def test_a_registry_whose_arguments_name_the_directory_is_found(store, words):
    with running("registry", *(word.format(store) for word in words), cwd=store.parent) as process:
        assert reasons(store) == {process.pid: "its arguments or its configuration name the directory"}


def test_a_registry_whose_variables_name_the_directory_is_found(store):
    variables = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": f"{store}/"}
    with running("docker-registry", env=os.environ | variables) as process:
        assert list(reasons(store)) == [process.pid]


@pytest.mark.parametrize(
    ("name", "text"),
    [("config.yml", "storage: {{filesystem: {{rootdirectory: {}}}}}"), ("zot.json", '{{"rootDirectory":"{}"}}')],
)
def test_a_registry_whose_configuration_names_the_directory_is_found(store, name, text):
    (store.parent / name).write_text(text.format(store))
    with running("/usr/bin/zot", "serve", name, cwd=store.parent) as process:
        assert list(reasons(store)) == [process.pid]
        assert reasons(store / "inner") == {}


def test_other_programs_may_name_it(store):
    with running("less", store, env=os.environ | {"STORE": str(store)}):
        assert reasons(store) == {}
