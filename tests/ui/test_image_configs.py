"""Configs of images, also hostile ones, and the commands that made the layers."""

import json

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci.digests import digest_of
from simple_registry.ui.image_configs import (
    MAX_HISTORY,
    MAX_ITEMS,
    UNREADABLE,
    BuildLine,
    ImageConfig,
    Step,
    match_history,
    read_image_config,
)
from simple_registry.ui.manifest_documents import Entry, Platform

ODD = st.sampled_from([None, True, 3, -1.5, "text", "A=b", [], {}, [None, 3, {}, "x"], {"a": [1], "b": "c"}, [[[{}]]]])
FIELDS = st.sampled_from(["os", "created", "config", "history", "Env", "Labels", "Cmd", "ExposedPorts"])


def read(**fields):
    return read_image_config(json.dumps(fields).encode())


def layer(data):
    return Entry("layer", digest_of(data), len(data))


def test_a_config_is_read():
    config = read(
        os="linux",
        architecture="arm",
        variant="v7",
        created="2026-01-02T03:04:05Z",
        author="someone",
        config={
            "User": "1000:1000",
            "WorkingDir": "/app",
            "Entrypoint": ["/bin/app"],
            "Cmd": ["serve", "--all"],
            "Env": ["PATH=/bin", "EMPTY=", "BARE", "URL=a=b"],
            "Labels": {"one": "1"},
            "ExposedPorts": {"80/tcp": {}},
            "Volumes": {"/data": {}},
            "StopSignal": "SIGTERM",
        },
        history=[{"created_by": "ADD file", "created": "2026-01-01T00:00:00Z", "comment": "c", "author": "a"}],
    )
    assert config == ImageConfig(
        is_readable=True,
        platform=Platform("linux", "arm", "v7"),
        created="2026-01-02T03:04:05Z",
        author="someone",
        user="1000:1000",
        directory="/app",
        entrypoint=["/bin/app"],
        arguments=["serve", "--all"],
        stop_signal="SIGTERM",
        ports=["80/tcp"],
        volumes=["/data"],
        environment={"PATH": "/bin", "EMPTY": "", "BARE": "", "URL": "a=b"},
        labels={"one": "1"},
        history=[Step("ADD file", "c")],
    )


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"3", b"null", b"{", b"[" * 100_000, b'{"a":' * 10_000])
def test_what_is_no_object_is_unreadable(data):
    assert read_image_config(data) == UNREADABLE


@pytest.mark.parametrize("value", [None, 3, "text", [], {}, [3, None, {}], {"a": 3}])
def test_a_field_of_another_type_counts_as_absent(value):
    config = read(os="linux", created=value, config=value, history=value)
    assert config.is_readable
    assert config.platform.os == "linux"
    assert all(step == Step() for step in config.history)
    read(config=dict.fromkeys(["Env", "Labels", "Cmd", "Entrypoint", "ExposedPorts", "Volumes", "User"], value))


def test_lists_have_bounds():
    config = read(
        history=[{}] * (MAX_HISTORY + 1),
        config={
            "Env": [f"N{at}=" for at in range(MAX_ITEMS + 1)],
            "Labels": {str(at): "" for at in range(MAX_ITEMS + 1)},
        },
    )
    assert (len(config.history), len(config.environment), len(config.labels)) == (MAX_HISTORY, MAX_ITEMS, MAX_ITEMS)


def test_layers_have_the_commands_that_made_them():
    one, two = layer(b"one"), layer(b"two")
    add, env, run = Step("ADD"), Step("ENV", is_empty=True), Step("RUN")
    lines = [BuildLine(one, add), BuildLine(None, env), BuildLine(two, run)]
    assert match_history([one, two], [add, env, run]) == lines


@pytest.mark.parametrize("history", [[], [Step("ADD")], [Step("ADD"), Step("RUN"), Step("COPY")]])
def test_a_history_of_other_layers_is_matched_with_none(history):
    layers = [layer(b"one"), layer(b"two")]
    lines = match_history(layers, history)
    assert [line.layer for line in lines if line.layer] == layers
    assert [line.step for line in lines if line.step] == history
    assert not any(line.layer and line.step for line in lines)


@given(st.dictionaries(FIELDS, ODD), st.dictionaries(FIELDS, ODD))
def test_any_document_is_read(document, inner):
    assert read_image_config(json.dumps({**document, "config": inner}).encode()) is not None
