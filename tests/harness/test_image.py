"""The command that builds the container image, with the labels of its commit."""

import subprocess
from datetime import datetime

import pytest

from harness import ROOT, image
from harness.image import arguments, build, labels_of, main, public_address

LABELS = {"version": "1.0", "revision": "abc"}


def git(*words, cwd=ROOT):
    return subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("engine", ["buildah", "podman"])
def test_the_health_check_and_the_time_of_the_commit_are_kept(engine):
    assert list(arguments(engine, 7, LABELS, ["a:1", "a:latest"])) == [
        *("--format=docker", "--timestamp=7"),
        *("--label=org.opencontainers.image.version=1.0", "--label=org.opencontainers.image.revision=abc"),
        *("--tag=a:1", "--tag=a:latest"),
    ]


def test_docker_gets_the_time_as_an_argument():
    words = list(arguments("docker", 7, LABELS, ["a"]))
    assert "--build-arg=SOURCE_DATE_EPOCH=7" in words
    assert not [word for word in words if word.startswith(("--format", "--timestamp"))]


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://git.example.org/team/registry.git", "https://git.example.org/team/registry.git"),
        ("https://name:secret@git.example.org:8443/registry", "https://git.example.org:8443/registry"),
        ("git@git.example.org:team/registry.git", ""),
        ("/srv/git/registry", ""),
        ("", ""),
    ],
)
def test_only_an_https_address_without_credentials_is_the_source(remote, address):
    assert public_address(remote) == address


@pytest.fixture
def clone(tmp_path):
    git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(tmp_path / "clone"))
    return tmp_path / "clone"


def test_the_labels_are_those_of_the_commit(clone):
    git("remote", "set-url", "origin", "https://name:secret@git.example.org/registry", cwd=clone)
    labels = labels_of(clone, "HEAD", "1.0")
    assert labels["revision"] == git("rev-parse", "HEAD")
    assert datetime.fromisoformat(labels["created"]).timestamp() == int(git("show", "-s", "--format=%ct"))
    assert labels["source"] == "https://git.example.org/registry"
    git("remote", "remove", "origin", cwd=clone)
    assert "source" not in labels_of(clone, "HEAD", "1.0")


@pytest.fixture
def engine(tmp_path):
    """A program that prints its arguments, and the files of its context."""
    script = tmp_path / "podman"
    script.write_text('#!/bin/sh\necho "$@"\nfor context; do :; done\nls "$context"\n')
    script.chmod(0o700)
    return [str(script), "--root", "here"]


def test_the_context_is_the_commit_and_not_the_working_tree(clone, engine, capfd):
    git("checkout", "--quiet", "HEAD", cwd=clone)
    (clone / "new").write_text("not committed")
    build(clone, "HEAD", engine, ["--layers"])
    said = capfd.readouterr().out
    assert said.startswith("--root here build --format=docker ")
    assert "--tag=simple-registry:latest" in said.splitlines()[0]
    assert " --layers --file=/" in said
    assert "requirements.lock" in said
    assert "\nnew\n" not in said


def test_options_come_from_the_environment(engine, capfd):
    main(["--no-cache"], {"ENGINE": " ".join(engine), "BASE": "debian:13", "TARGET": "", "IMAGE": "here:1"})
    said = capfd.readouterr().out.splitlines()[0]
    assert " --build-arg=BASE=debian:13 --no-cache " in said
    assert "--target" not in said
    assert "--tag=here:1 " in said
    assert "latest" not in said


def test_without_an_engine_the_reason_is_named(monkeypatch):
    monkeypatch.setattr(image, "which", lambda _: None)
    with pytest.raises(SystemExit, match="none of buildah, podman, docker is installed"):
        main([], {})
