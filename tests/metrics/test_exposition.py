"""The text that Prometheus reads."""

from hypothesis import given, strategies as st

from simple_registry.metrics.exposition import Histogram, Samples, exposition
from simple_registry.metrics.families import Family, Kind
from support.exposition import parse

GAUGE = Family("room", Kind.GAUGE, "Room.")
COUNTER = Family("things_total", Kind.COUNTER, "Things.", ("kind", "of"))
HISTOGRAM = Family("size", Kind.HISTOGRAM, "Sizes.", ("of",), bounds=(1.0, 2.5))


def test_the_text_is_as_the_format_has_it():
    text = exposition(
        [
            Samples(GAUGE, {(): 1.5}),
            Samples(COUNTER, {("a", 'b"\\\n'): 2**53}),
            Samples(HISTOGRAM, {("x",): Histogram([1, 2, 3], 20.25)}),
        ]
    )
    assert text.decode() == (
        "# HELP room Room.\n# TYPE room gauge\nroom 1.5\n"
        "# HELP things_total Things.\n# TYPE things_total counter\n"
        'things_total{kind="a",of="b\\"\\\\\\n"} 9007199254740992\n'
        "# HELP size Sizes.\n# TYPE size histogram\n"
        'size_bucket{of="x",le="1"} 1\nsize_bucket{of="x",le="2.5"} 3\nsize_bucket{of="x",le="+Inf"} 6\n'
        'size_sum{of="x"} 20.25\nsize_count{of="x"} 6\n'
    )


@given(st.dictionaries(st.tuples(st.text(), st.text()), st.floats(0, 1e300), max_size=5))
def test_any_label_and_number_can_be_read(values):
    metrics = parse(exposition([Samples(COUNTER, values)]).decode())
    assert sorted(metrics["things_total"].samples.values()) == sorted(values.values())
