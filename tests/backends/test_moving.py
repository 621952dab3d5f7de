"""What commands move content from and to."""

import asyncio
import io

import pytest

from simple_registry.backends.moving import open_layout, open_pipe, open_target
from simple_registry.oci.layouts import INDEX
from simple_registry.storage.sources import SourceInvalid
from support.streams import stream_of


def write(text, pipe=None):
    async def scenario():
        async with open_target(text, pipe) as target:
            await target.add(INDEX, 2, stream_of(b"{}"))

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["layout", "layout.tar"])
def test_a_directory_and_a_file_are_read_as_they_were_written(tmp_path, name):
    write(str(tmp_path / name))
    assert (tmp_path / name).is_dir() is (name == "layout")
    with open_layout(tmp_path / name) as layout:
        assert asyncio.run(layout.index()) == b"{}"


def test_a_pipe_is_read_as_it_was_written():
    async def read(pipe):
        return [
            (path, b"".join([data async for data in stream])) async for path, _, stream in open_pipe(pipe).entries()
        ]

    pipe = io.BytesIO()
    write("-", pipe)
    assert asyncio.run(read(io.BytesIO(pipe.getvalue()))) == [(INDEX, b"{}")]


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(SourceInvalid), open_layout(tmp_path / "none"):
        pass
