"""The order of an answer: route, identity, decision, handler; and what each failure on the way becomes."""

import json
import logging

import pytest

from simple_registry.access.policy import Allowed, Refused
from simple_registry.faults import StorageFault, StorageFull
from simple_registry.oci.digests import digest_of
from support.access import rules
from support.documents import push_image
from support.front import Front
from support.stores import in_memory


class Rules:
    """A policy of (identity, verb, resource, scope) tuples; `*` stands for anything."""

    def __init__(self, *allowed):
        self.allowed = allowed
        self.asked = []

    def decide(self, identity, permission):
        question = (identity.name, *permission)
        self.asked.append(question)
        for rule in self.allowed:
            if all(want in ("*", have) for want, have in zip(rule, question, strict=True)):
                return Allowed("rule")
        return Refused("no rule")


def test_an_unknown_path_needs_no_credentials_to_be_unknown(memory_front):
    reply = memory_front.get("/nowhere", user=None)
    assert (reply.status, reply.codes) == (404, ["UNSUPPORTED"])


def test_credentials_are_asked_before_permission(make_front):
    front = make_front(policy=Rules())
    assert front.get("/v2/team/app/tags/list", user=None).status == 401
    assert front.get("/v2/team/app/tags/list").status == 403


def test_who_may_not_gets_the_same_bytes_whether_the_thing_exists_or_not(make_front):
    rules = Rules(("admin", "*", "*", "*"))
    front = make_front(users=["eve"], policy=rules)
    push_image(front, "team/app", "v1")
    digest = front.push_blob("team/app", b"secret")
    absent = digest_of(b"absent")
    pairs = [
        ("/v2/team/app/blobs/{}", digest, absent),
        ("/v2/{}/manifests/v1", "team/app", "team/app"),
        ("/v2/team/app/referrers/{}", digest, absent),
    ]
    for shape, exists, missing in pairs:
        one, other = (front.get(shape.format(each), user="eve") for each in (exists, missing))
        assert one.status == other.status == 403
        assert one.stable_headers == other.stable_headers
        assert one.json["errors"] == other.json["errors"]


def test_a_refusal_by_the_policy_changes_nothing(make_front):
    front = make_front(users=["eve"], policy=Rules(("admin", "*", "*", "*")))
    data = push_image(front, "team/app", "v1")
    location = front.open_session("team/app")
    digest = digest_of(b"{}")
    with front.unchanged():
        refused = [
            front.put("/v2/team/app/manifests/v2", body=data, user="eve"),
            front.delete("/v2/team/app/manifests/v1", user="eve"),
            front.delete(f"/v2/team/app/manifests/{digest_of(data)}", user="eve"),
            front.delete(f"/v2/team/app/blobs/{digest}", user="eve"),
            front.post("/v2/team/app/blobs/uploads/", user="eve"),
            front.post(f"/v2/eve/app/blobs/uploads/?mount={digest}&from=team/app", user="eve"),
            front.patch(location, body=b"x", user="eve"),
            front.put(f"{location}?digest={digest}", body=b"{}", user="eve"),
            front.delete(location, user="eve"),
        ]
    assert {reply.status for reply in refused} == {403}
    assert {code for reply in refused for code in reply.codes} == {"DENIED"}


def test_the_policy_is_asked_for_what_the_endpoint_declares(make_front):
    rules = Rules(("*", "*", "*", "*"))
    front = make_front(policy=rules)
    asked = {
        ("GET", "/v2/team/app/manifests/v1"): ("admin", "GET", "manifests", "team/app:v1"),
        ("HEAD", "/v2/team/app/manifests/v1"): ("admin", "HEAD", "manifests", "team/app:v1"),
        ("DELETE", f"/v2/team/app/manifests/{digest_of(b'')}"): ("admin", "DELETE", "manifests", "team/app"),
        ("GET", f"/v2/team/app/blobs/{digest_of(b'')}"): ("admin", "GET", "blobs", "team/app"),
        ("POST", "/v2/team/app/blobs/uploads/"): ("admin", "POST", "blobs", "team/app"),
        ("GET", "/v2/team/app/tags/list"): ("admin", "GET", "tags", "team/app"),
        ("GET", f"/v2/team/app/referrers/{digest_of(b'')}"): ("admin", "GET", "referrers", "team/app"),
        ("GET", "/v2/_catalog"): ("admin", "GET", "catalog", ""),
    }
    for (method, path), question in asked.items():
        rules.asked.clear()
        front.request(method, path)
        assert rules.asked[0] == question


def test_logging_in_needs_no_permission(make_front):
    assert make_front(policy=Rules()).get("/v2/").status == 200


def test_who_is_anonymous_and_may_not_is_asked_who_they_are(make_front):
    front = make_front(rules=rules(users=["anonymous"]))
    reply = front.get("/v2/team/app/tags/list", user=None)
    assert (reply.status, reply.codes) == (401, ["UNAUTHORIZED"])
    assert [challenge.partition(" ")[0] for challenge in reply.all("www-authenticate")] == ["Bearer", "Basic"]


# ---------------------------------------------------------------- failures


@pytest.fixture
def broken(clock, monkeypatch):
    """Make an application whose content store fails with an error."""
    fronts = []

    def make(error):
        kept = in_memory(clock)

        async def fail(*_args, **_kwargs):
            raise error

        monkeypatch.setattr(kept.stores.content, "put", fail)
        fronts.append(Front(kept, clock))
        return fronts[-1]

    yield make
    for front in fronts:
        front.__exit__(None, None, None)


def push_into(front):
    data = b'{"schemaVersion":2,"manifests":[]}'
    headers = {"content-type": "application/vnd.oci.image.index.v1+json"}
    return front.put("/v2/team/app/manifests/v1", body=data, headers=headers)


def test_a_storage_fault_is_a_503_that_asks_to_come_back(broken, caplog):
    front = broken(StorageFault("keep content", "the disk at /srv/secret is gone"))
    with front.unchanged():
        reply = push_into(front)
    assert (reply.status, reply.header("retry-after"), reply.codes) == (503, "1", ["UNKNOWN"])
    assert b"secret" not in reply.body
    assert "the disk at /srv/secret is gone" in caplog.text


def test_a_full_disk_is_a_507(broken):
    front = broken(StorageFull("keep content", "no space left"))
    with front.unchanged():
        reply = push_into(front)
    assert (reply.status, reply.codes) == (507, ["UNKNOWN"])


def test_a_bug_is_a_500_without_detail_and_its_traceback_is_in_the_log(broken, caplog):
    front = broken(ZeroDivisionError("the secret detail"))
    with front.unchanged():
        reply = push_into(front)
    assert reply.status == 500
    assert reply.json["errors"] == [{"code": "UNKNOWN", "message": "internal error"}]
    assert reply.json["requestId"] == reply.header("x-request-id")
    record = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.exc_info is not None
    assert reply.json["requestId"] in record.getMessage()


def test_an_interrupted_body_is_a_size_that_does_not_fit(memory_front):
    location = memory_front.open_session("team/app")
    with memory_front.unchanged():
        reply = memory_front.patch(location, body=[b"four"], headers={"content-length": "10"})
    assert (reply.status, reply.codes) == (400, ["SIZE_INVALID"])
    assert reply.json["errors"][0]["detail"] == {"received": 4, "announced": 10}


def test_every_error_is_the_json_of_the_specification(memory_front):
    requests = [
        ("GET", "/nowhere"),
        ("POST", "/v2/"),
        ("GET", "/v2/UPPER/tags/list"),
        ("GET", "/v2/none/tags/list"),
        ("GET", "/v2/a/tags/list?n=x"),
        ("GET", "/v2/a/manifests/none"),
        ("GET", "/v2/a/blobs/sha256:short"),
        ("PUT", "/v2/a/manifests/v1"),
        ("PATCH", "/v2/a/blobs/uploads/unknown"),
    ]
    for method, path in requests:
        reply = memory_front.request(method, path)
        assert 400 <= reply.status < 500
        assert reply.header("content-type") == "application/json"
        document = json.loads(reply.body)
        assert document["errors"]
        for error in document["errors"]:
            assert set(error) <= {"code", "message", "detail"}
            assert error["code"].replace("_", "").isalpha()
            assert error["code"].isupper()
            assert error["message"]
        assert document["requestId"] == reply.header("x-request-id")
