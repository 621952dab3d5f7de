"""The table of metrics keeps Prometheus' rules for names."""

import re

import pytest

from simple_registry.metrics.families import FAMILIES, Kind


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_name_has_the_prefix_and_the_suffix_of_its_kind(family):
    assert re.fullmatch(r"simple_registry_[a-z_]+", family.name)
    assert family.name.endswith("_total") == (family.kind is Kind.COUNTER)
    assert not re.search(r"_(count|sum|bucket)$", family.name)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_labels_and_help_can_be_told(family):
    assert all(re.fullmatch(r"[a-z_]+", label) and label != "le" for label in family.labels)
    assert all(len(series) == len(family.labels) for series in family.series)
    assert family.help.isprintable()
    assert "\\" not in family.help


def test_names_are_there_once():
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_bounds_increase():
    for family in FAMILIES:
        assert list(family.bounds) == sorted(set(family.bounds))
        assert bool(family.bounds) == (family.kind is Kind.HISTOGRAM)
