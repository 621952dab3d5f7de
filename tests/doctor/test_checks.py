"""All checks against a server, directly and through a proxy that spoils one thing."""

from dataclasses import replace

import pytest

from e2e.server import PASSWORD, USERNAME, serve
from simple_registry.doctor.checks import CHECKS, Examination, Plan
from simple_registry.doctor.client import Client, DoctorFault, parse_address
from simple_registry.doctor.session import Credentials

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("registry")) as running:
        yield running


class Spoiled(Client):
    """A client whose requests and answers are changed, as by a proxy."""

    def __init__(self, url, *, before=lambda request: request, after=lambda _, answer: answer):
        super().__init__(parse_address(url), None, timeout=20)
        self.before, self.after = before, after

    def send(self, request, *, timeout=None):
        return self.after(request, super().send(self.before(request), timeout=timeout))


@pytest.fixture
def examine(registry):
    def call(*, max_size=8 * MIB, password=PASSWORD, name="doctor/x", told=lambda _: None, **spoiled):
        client = Spoiled(f"http://{registry.host}", **spoiled)
        plan = Plan(repository=name, max_size=max_size, patience=0.01)
        examination = Examination(client, Credentials(USERNAME, password), plan)
        examination.run(told)
        call.sent = client.sent
        return {each.id: each.seen for each in examination.findings}

    return call


def held(registry):
    """Return the repositories that hold something."""
    return registry.request("GET", "/v2/_catalog").body


def without(name):
    def after(_, answer):
        return replace(answer, headers={key: text for key, text in answer.headers.items() if key != name})

    return after


def test_a_good_registry_has_no_findings_and_keeps_nothing(examine, registry):
    told = []
    assert examine(told=told.append) == {}
    assert told == [*(meaning for meaning, _ in CHECKS), "remove what was written"]
    assert examine.sent <= 8 * MIB
    assert b"doctor" not in held(registry)


@pytest.mark.parametrize(
    ("header", "fault"),
    [("location", "location-lost"), ("range", "range-lost"), ("docker-content-digest", "digest-lost")],
)
def test_a_header_that_is_lost_is_found(examine, registry, header, fault):
    assert list(examine(after=without(header))) == [fault]
    assert b"doctor" not in held(registry)


def test_a_limit_of_bodies_is_found_within_the_bytes_that_may_be_sent(examine):
    def limited(request):
        if len(request.body) > 3 * MIB:
            raise DoctorFault("413")
        return request

    assert examine(max_size=24 * MIB, before=limited)["body-limit"].startswith(("2.", "3."))
    assert examine.sent <= 24 * MIB


def test_content_that_was_compressed_or_changed_is_found(examine):
    def changed(request, answer):
        if request.method == "GET" and "/blobs/sha256" in request.path:
            return replace(answer, headers={**answer.headers, "content-encoding": "gzip"}, body=b"x")
        return answer

    assert set(examine(after=changed)) == {"compression", "range"}


def test_a_location_elsewhere_is_found(examine):
    def elsewhere(_, answer):
        if "location" not in answer.headers:
            return answer
        return replace(answer, headers={**answer.headers, "location": f"http://internal{answer.header('location')}"})

    assert set(examine(after=elsewhere)) == {"location-host"}


def test_a_method_that_a_proxy_refuses_is_found(examine):
    def refused(request, answer):
        return replace(answer, status=405, body=b"<html>") if request.method == "PATCH" else answer

    assert list(examine(after=refused)) == ["method"]


def test_wrong_credentials_end_the_pushes(examine):
    assert list(examine(password="wrong")) == ["credentials", "denied"]


def test_an_interrupt_removes_what_was_written(examine, registry):
    def interrupt(what):
        if what == "pull":
            assert b"doctor/interrupted" in held(registry)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine(told=interrupt, name="doctor/interrupted")
    assert b"doctor/interrupted" not in held(registry)


def test_an_address_without_a_registry_is_found():
    client = Client(parse_address("http://127.0.0.1:1"), None, timeout=5)
    examination = Examination(client, None, Plan(repository="a", max_size=MIB, patience=0.01))
    examination.run(lambda _: None)
    assert [each.id for each in examination.findings] == ["unreachable"]
