"""The table of faults."""

import pytest

from simple_registry.doctor.findings import FAULTS, PROXIES, TESTED, Finding, is_tested


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_lines_for_every_proxy_or_for_none(fault):
    assert set(FAULTS[fault].mends) in (set(), set(PROXIES))
    assert all(FAULTS[fault].mends.values())


def test_only_lines_that_have_mended_a_proxy_are_tested():
    assert TESTED.keys() <= set(PROXIES)
    assert is_tested("nginx", FAULTS["body-limit"].mends["nginx"])
    assert is_tested("nginx", FAULTS["chunked"].mends["nginx"])  # the same as for buffering
    assert not is_tested("nginx", FAULTS["head"].mends["nginx"])
    assert not is_tested("apache", FAULTS["body-limit"].mends["apache"])


def test_a_finding_has_its_row():
    assert Finding("body-limit", "413").fault is FAULTS["body-limit"]
