"""A setting is one row of a dataclass; everything else about it is made from that."""

from dataclasses import dataclass

from simple_registry.config.rows import NO_DEFAULT, Option, build, kept, optional_section, rows_of, section, setting
from simple_registry.config.shapes import ListOf, Text, word

NUMBER = Text("number", int, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    left: int = setting(NO_DEFAULT, NUMBER, "left", path="pair.left")
    right: int = setting(NO_DEFAULT, NUMBER, "right", path="pair.right")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    many: tuple[int, ...] = setting((1, 2), ListOf(NUMBER), "many", path="inner.many", option=Option("many", "NUMBER"))
    one: int = setting(3, NUMBER, "one", without="three", restart=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    inner: Inner = section(Inner)
    pair: Pair | None = optional_section(Pair)
    mode: str = setting("a", word(("a", "b")), "the mode", option=Option("the-mode", "MODE"), details="Choose well.")
    other: int = 5


def test_rows_know_their_attribute_and_their_default():
    rows = {row.attribute: row for row in rows_of(Outer)}
    assert list(rows) == ["inner.many", "inner.one", "pair.left", "pair.right", "mode"]
    assert [row.default_text for row in rows.values()] == ["1 2", "three", "none", "none", "a"]
    assert [row.attribute for row in rows.values() if row.restart] == ["inner.one"]
    assert (rows["inner.many"].many, rows["inner.one"].many) == (True, False)


def test_an_option_has_the_text_of_its_row():
    options = {row.option.name: row.option for row in rows_of(Outer) if row.option}
    assert options["the-mode"].variable == "SIMPLE_REGISTRY_THE_MODE"
    assert (options["the-mode"].meaning, options["the-mode"].details) == ("the mode: a, b", "Choose well.")
    assert (options["the-mode"].default, options["the-mode"].repeatable) == ("a", False)
    assert (options["many"].default, options["many"].repeatable) == ("1 2", True)


def test_values_land_in_their_sections_and_the_rest_has_its_default():
    assert build(Outer, {}) == Outer()
    built = build(Outer, {"inner.one": 7, "pair.left": 1, "pair.right": 2, "mode": "b"})
    assert built == Outer(inner=Inner(one=7), pair=Pair(left=1, right=2), mode="b")
    assert built.inner.many == (1, 2)


def test_some_rows_keep_the_values_that_they_have():
    old, new = Outer(inner=Inner(one=7, many=(9,))), Outer(inner=Inner(one=8), mode="b")
    rows = [row for row in rows_of(Outer) if row.restart]
    assert kept(old, new, rows) == Outer(inner=Inner(one=7), mode="b")


def test_a_row_is_called_by_its_option_or_else_by_its_field():
    labels = {row.attribute: row.label for row in rows_of(Outer)}
    assert (labels["mode"], labels["pair.left"]) == ("-the-mode", "pair.left")
