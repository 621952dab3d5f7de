from bench.results import Better, Figure, Sample, figure, times_as_good


def test_a_figure_is_the_median_with_the_lowest_and_the_highest_round():
    assert figure([Sample(3, 0.3), Sample(1, 0.1), Sample(9, 0.2)]) == Figure(3, 1, 9, 0.2)


def test_a_figure_of_an_even_number_of_rounds_is_between_the_middle_two():
    assert figure([Sample(1), Sample(2), Sample(4), Sample(8)]).median == 3


def test_rounds_without_cpu_time_have_none():
    assert figure([Sample(1), Sample(2)]).cpu is None


def test_twice_the_rate_is_twice_as_good():
    assert times_as_good(200, 100, Better.HIGHER) == 2


def test_half_the_seconds_are_twice_as_good():
    assert times_as_good(0.5, 1, Better.LOWER) == 2


def test_a_rate_of_zero_is_infinitely_worse():
    assert times_as_good(1, 0, Better.HIGHER) == float("inf")
