"""Every contract runs on every kind of store."""

import pytest

from storage.support import disk_stores, memory_stores


@pytest.fixture(params=["memory", "disk"])
def stores(request, tmp_path, clock):
    if request.param == "memory":
        yield memory_stores(clock)
    else:
        with disk_stores(tmp_path / "data", clock) as stores:
            yield stores
