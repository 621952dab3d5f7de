"""Every contract runs on every kind of store."""

import uuid

import pytest

from simple_registry.storage.sqlite.engine.migrate import migrate
from storage.support import Stores, disk_stores, memory_stores, run
from support.object_store.backend import open_stores
from support.object_store.client import Objects, object_server


@pytest.fixture(params=["memory", "disk"])
def stores(request, tmp_path, clock):
    if request.param == "memory":
        yield memory_stores(clock)
    else:
        with disk_stores(tmp_path / "data", clock) as stores:
            yield stores


@pytest.fixture(scope="session")
def object_port():
    with object_server() as port:
        yield port


@pytest.fixture(params=["memory", "disk", "objects"])
def stores_of_bytes(request, tmp_path, clock):
    """Stores of every kind of content and uploads; with objects, the rows are those of the disk."""
    match request.param:
        case "memory":
            yield memory_stores(clock)
        case "disk":
            with disk_stores(tmp_path / "data", clock) as stores:
                yield stores
        case "objects":
            objects = Objects(request.getfixturevalue("object_port"), f"{uuid.uuid4()}/")
            migrate(f"{tmp_path}/registry.db")
            opened = open_stores(f"{tmp_path}/registry.db", objects, clock)
            yield Stores(opened.content, opened.uploads, opened.rows, clock)
            run(opened.rows.close())
