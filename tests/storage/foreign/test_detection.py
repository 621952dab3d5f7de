"""Which registry a directory belongs to."""

import pytest

from simple_registry.backends import local
from simple_registry.storage.foreign.detection import open_source
from simple_registry.storage.sources import SourceInvalid
from support.foreign import distribution, layout, simple_registry


def make(root, kind):
    if kind == "layouts":
        layout(root / "team" / "app").image()
    else:
        {"distribution": distribution, "simple-registry": simple_registry}[kind](root).image("team/app")


@pytest.mark.parametrize(
    ("made", "asked", "found"),
    [
        ("distribution", None, "distribution"),
        ("distribution", "distribution", "distribution"),
        ("simple-registry", None, "simple-registry"),
        ("layouts", None, "zot"),
        ("layouts", "layout", "layout"),
    ],
)
def test_the_kind_is_found(tmp_path, made, asked, found):
    make(tmp_path, made)
    source = open_source(tmp_path, asked)
    assert source.format == found
    assert [repository.name for repository in source.repositories()] == ["team/app"]


@pytest.mark.parametrize("asked", [None, "distribution", "simple-registry", "zot", "layout"])
def test_another_directory_is_refused(tmp_path, asked):
    with pytest.raises(SourceInvalid, match="it is not the data directory of"):
        open_source(tmp_path, asked)


def test_what_is_no_directory_is_refused(tmp_path):
    with pytest.raises(SourceInvalid, match="it is not a directory"):
        open_source(tmp_path / "none")


def test_the_inner_directory_of_distribution_is_refused_with_advice(tmp_path):
    links = distribution(tmp_path)
    with pytest.raises(SourceInvalid, match="give the directory above docker/registry/v2"):
        open_source(links.base)


def test_a_single_layout_is_refused_with_advice(tmp_path):
    made = layout(tmp_path / "one").image()
    with pytest.raises(SourceInvalid, match="use 'import' with a repository"):
        open_source(made.root)


def test_our_own_data_directory_is_refused_with_advice(tmp_path):
    local.make(tmp_path / "data")
    with pytest.raises(SourceInvalid, match="it is a data directory of this program"):
        open_source(tmp_path / "data")
