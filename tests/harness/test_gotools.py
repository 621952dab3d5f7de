"""Go programs are built once, and a build that fails leaves nothing that looks finished."""

import pytest

from harness import gotools
from harness.gotools import GoTool, ToolUnavailable, build

TOOL = GoTool("tool", "registry.test/tool", "v1.0.0")


@pytest.fixture
def go(tmp_path, monkeypatch):
    """Put a script in the place of `go`; it may use $GOBIN."""
    monkeypatch.setattr(gotools, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(install):
        script = tmp_path / "go"
        script.write_text(f'#!/bin/sh\nif [ "$1" = version ]; then echo go version go1.26.0; exit; fi\n{install}\n')
        script.chmod(0o700)

    return write


def test_a_program_is_built_once(go):
    go('mkdir -p "$GOBIN" && echo "$@" > "$GOBIN/tool"')
    path = build(TOOL)
    go("exit 1")

    assert build(TOOL) == path
    assert path.read_text() == "install registry.test/tool@v1.0.0\n"


def test_a_failed_build_shows_its_reason_and_is_retried(go):
    go("echo no such module >&2; exit 1")
    with pytest.raises(ToolUnavailable, match="no such module"):
        build(TOOL)
    go('mkdir -p "$GOBIN" && touch "$GOBIN/tool"')

    assert build(TOOL).exists()
