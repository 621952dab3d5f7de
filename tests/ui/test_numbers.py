"""Numbers of the metrics on pages."""

from simple_registry.metrics.families import COLLECTED, SCRUBBED_BYTES
from simple_registry.ui.numbers import numbers_of

TEXT = """\
# HELP simple_registry_collected_total What garbage collection removed.
# TYPE simple_registry_collected_total counter
simple_registry_collected_total{what="blobs"} 3
simple_registry_collected_total{what="bytes"} 1.5e+09
simple_registry_scrub_bytes_total 12
simple_registry_scrub_contents_total{result="whole"} 7
"""


def test_numbers_come_by_their_label():
    assert numbers_of(TEXT, COLLECTED.name) == {"blobs": 3, "bytes": 1.5e9}
    assert numbers_of(TEXT, SCRUBBED_BYTES.name) == {"": 12}
    assert numbers_of(TEXT, "simple_registry_scrub") == {}
    assert numbers_of("", COLLECTED.name) == {}
