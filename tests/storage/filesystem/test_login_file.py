"""Logins survive a restart: only user, network and day, and only for the days that count."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings as how, strategies as st

from simple_registry.authentication.login_memory import KnownLogin, LoginMemory
from simple_registry.faults import StorageFault
from simple_registry.storage.filesystem import login_file
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.login_file import LoginFile

KEEP = 30


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logins.jsonl"


@pytest.fixture
def today(clock):
    return int(clock.now()) // 86400


@pytest.fixture
def file(path, clock):
    return LoginFile(str(path), Disk(), clock, keep_days=KEEP)


def test_no_file_is_created_before_the_first_login(file, path):
    assert file.load() == []
    assert not path.exists()


def test_the_last_day_of_each_user_and_network_is_kept(file, path, today):
    for user, network, day in [("ada", "n", today - 2), ("ada", "n", today), ("ada", "m", today - 1), ("ada", "n", 0)]:
        file.add(user, network, day)
    assert file.load() == [("ada", "m", today - 1), ("ada", "n", today)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_holds_user_network_and_day_and_nothing_else(file, path, today):
    file.add('o"dd\nname', "2001:db8::/64", today)
    assert path.read_text() == f'["o\\"dd\\nname","2001:db8::/64",{today}]\n'
    assert file.load() == [('o"dd\nname', "2001:db8::/64", today)]


def test_old_logins_are_dropped(file, today, clock):
    file.add("ada", "n", today)
    clock.time += KEEP * 86400
    assert file.load()
    clock.time += 86400
    assert file.load() == []


@given(st.binary(max_size=60))
@how(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_unreadable_lines_are_skipped(file, path, today, rubbish):
    path.write_bytes(rubbish.replace(b"[", b"") + b"\n")
    file.add("ada", "n", today)
    assert file.load() == [("ada", "n", today)]


@pytest.mark.parametrize("day", ["9" * 400, "9" * 30, "-1", "1e400", "{tomorrow}"])
def test_an_impossible_day_is_skipped(file, path, today, day):
    odd = day.format(tomorrow=today + 1)
    path.write_text(f'["ada","n",{odd}]\n["ada","n",{today}]\n["eve","n",{odd}]\n')
    assert file.load() == [("ada", "n", today)]
    assert LoginMemory(KnownLogin(*login) for login in file.load())


@pytest.mark.parametrize("torn", ['["eve","n', '["eve","n",{today}]'])
def test_a_torn_line_does_not_spoil_the_next_one(file, path, today, torn):
    path.write_text(torn.format(today=today))
    file.add("ada", "n", today)
    assert ("ada", "n", today) in file.load()
    assert path.read_text().count("\n") == 2


def test_a_large_file_is_rewritten_with_the_lines_still_used(file, path, today, monkeypatch):
    monkeypatch.setattr(login_file, "MAX_SIZE", 1000)
    for number in range(500):
        file.add("ada", f"n{number % 3}", today - number % 3)
    assert path.stat().st_size < 1100
    assert len(file.load()) == 3
    for number in range(500):
        file.add(f"user{number}", "n", today)
        assert path.stat().st_size < 1100
    assert ("user499", "n", today) in file.load()


def test_concurrent_additions_lose_nothing(path, clock, today):
    with ThreadPoolExecutor(8) as pool:
        for number in range(200):
            pool.submit(LoginFile(str(path), Disk(), clock, keep_days=KEEP).add, f"user{number}", "n", today)
    assert len(LoginFile(str(path), Disk(), clock, keep_days=KEEP).load()) == 200


def test_a_failing_disk_prevents_no_login(path, clock, today):
    class Broken(Disk):
        def open_write(self, path):
            raise StorageFault("open", "EIO")

        open_read = open_write

    file = LoginFile(str(path), Broken(), clock, keep_days=KEEP)
    file.add("ada", "n", today)
    assert file.load() == []


def test_a_symbolic_link_in_its_place_is_not_followed(file, path, tmp_path, today):
    elsewhere = tmp_path / "elsewhere"
    Path(path).symlink_to(elsewhere)
    file.add("ada", "n", today)
    assert not elsewhere.exists()
