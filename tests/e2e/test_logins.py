"""Logins at a real server of two workers, which share what they learn, and keep known users over a restart."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e.server import PASSWORD, USERNAME, serve


@pytest.fixture
def registry(tmp_path):
    with serve(tmp_path, options=["-workers", "2"]) as served:
        yield served


@pytest.fixture
def log_in(registry):
    """Log in over a new connection, which either worker may get; return the status and the seconds it took."""

    def log_in(password, user=USERNAME):
        proof, began = base64.b64encode(f"{user}:{password}".encode()).decode(), time.monotonic()
        answer = registry.request("GET", "/v2/", headers={"Authorization": f"Basic {proof}"}, anonymous=True)
        return answer.status, time.monotonic() - began

    return log_in


def warnings(registry, message):
    found = (json.loads(line) for line in registry.log.read_text().splitlines() if line.startswith("{"))
    return [line for line in found if line["message"].startswith(message)]


def test_wrong_passwords_of_others_never_refuse_the_right_one(log_in, registry):
    assert {log_in("stale")[0] for _ in range(30)} == {401}
    with ThreadPoolExecutor(26) as scanner:
        scan = [scanner.submit(log_in, "x", f"user{number}") for number in range(52)]
        assert {log_in(PASSWORD)[0] for _ in range(30)} == {200}
        assert {each.result()[0] for each in scan} == {401}
    assert {log_in(PASSWORD)[0] for _ in range(30)} == {200}
    assert len(warnings(registry, "all login attempts of an address throttled")) == 1


def test_guesses_are_counted_over_all_workers(log_in, registry):
    waits = [log_in(f"guess {number}")[1] for number in range(5)]
    assert max(waits[:4]) < 1 <= waits[4]
    assert log_in(PASSWORD)[0] == 200
    assert len(warnings(registry, "login attempts throttled")) == 1


def test_users_are_known_by_their_network_after_a_restart(tmp_path):
    file = tmp_path / "data" / "logins.jsonl"
    for _ in range(2):
        with serve(tmp_path, options=["-workers", "2"]) as registry:
            assert registry.request("GET", "/v2/").status == 200
            deadline = time.monotonic() + 10
            while not file.exists() and time.monotonic() < deadline:
                time.sleep(0.01)  # it is written by a thread
        (line,) = file.read_text().splitlines()  # known from the first time
        assert json.loads(line) == [USERNAME, "127.0.0.1", int(time.time()) // 86400]


def test_a_proxy_that_nothing_names_is_warned_of_once(registry):
    for _ in range(20):
        registry.request("GET", "/v2/", headers={"Host": "registry.example"}, anonymous=True)
    (warning,) = warnings(registry, "a proxy seems to be in front of the registry")
    assert (warning["peer"], warning["host"]) == ("127.0.0.1", "registry.example")
