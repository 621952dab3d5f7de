"""The table of faults."""

import pytest

from simple_registry.doctor.findings import FAULTS, PROXIES, Finding


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_lines_for_every_proxy_or_for_none(fault):
    assert set(FAULTS[fault].mends) in (set(), set(PROXIES))
    assert all(FAULTS[fault].mends.values())


def test_a_finding_has_its_row():
    assert Finding("body-limit", "413").fault is FAULTS["body-limit"]
