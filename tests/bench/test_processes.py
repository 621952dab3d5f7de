import os
import time

from bench import processes
from bench.processes import TICKS, cpu_seconds, parse_cpu_seconds, parse_memory

STAT = "41 (a (b) c) S 1 41 41 0 -1 4194560 900 80 0 0 {user} {system} {children} 7 20 0 9 0 300 1000000 500"


def test_cpu_time_includes_ended_children():
    assert parse_cpu_seconds(STAT.format(user=100, system=50, children=3)) == 160 / TICKS


def test_cpu_time_of_a_process_grows_while_it_works():
    before, until = cpu_seconds([os.getpid()]), time.thread_time() + 0.05
    while time.thread_time() < until:
        pass

    assert cpu_seconds([os.getpid()]) >= before + 0.03


def test_a_process_that_has_ended_costs_nothing():
    assert cpu_seconds([2**22 + 1]) == 0


def test_memory_is_the_proportional_set():
    assert parse_memory("5581 rollup\nRss:  9000 kB\nPss:  4000 kB\nPss_Anon:  1 kB\n") == 4000 * 1024


def test_memory_of_this_process_is_found():
    assert processes.memory([os.getpid()]) > 1024**2
