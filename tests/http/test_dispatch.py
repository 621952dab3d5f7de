"""The order of an answer: route, identity, decision, handler; and what each failure on the way becomes."""

import json
import logging

import pytest

from simple_registry.access.policy import Allowed, Refused
from simple_registry.faults import StorageFault, StorageFull, StorageReadOnly
from simple_registry.oci.digests import digest_of
from simple_registry.oci.media_types import OCI_IMAGE_MANIFEST
from simple_registry.times import format_moment
from support.access import READONLY, READWRITE, binding, decided_by, rules
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
        return Refused(lambda: "no rule")


def test_an_unknown_path_needs_no_credentials_to_be_unknown(memory_front):
    reply = memory_front.get("/nowhere", user=None)
    assert (reply.status, reply.codes) == (404, ["UNSUPPORTED"])


def test_credentials_are_asked_before_permission(make_front):
    front = make_front(rules=decided_by(Rules()))
    assert front.get("/v2/team/app/tags/list", user=None).status == 401
    assert front.get("/v2/team/app/tags/list").status == 403


def test_a_refusal_does_not_reveal_whether_the_resource_exists(make_front):
    rules = Rules(("admin", "*", "*", "*"))
    front = make_front(rules=decided_by(rules, users=["eve"]))
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
    front = make_front(rules=decided_by(Rules(("admin", "*", "*", "*")), users=["eve"]))
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
    front = make_front(rules=decided_by(rules))
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
    assert make_front(rules=decided_by(Rules())).get("/v2/").status == 200


def test_an_anonymous_client_without_permission_is_challenged(make_front):
    front = make_front(rules=rules(users=["anonymous"]))
    reply = front.get("/v2/team/app/tags/list", user=None)
    assert (reply.status, reply.codes) == (401, ["UNAUTHORIZED"])
    assert reply.header("www-authenticate").startswith("Bearer ")


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


def test_a_read_only_disk_is_a_503_with_its_reason(broken):
    front = broken(StorageReadOnly("keep content", "read-only"))
    with front.unchanged():
        reply = push_into(front)
    assert (reply.status, reply.codes) == (503, ["UNKNOWN"])
    assert "read-only" in reply.json["errors"][0]["message"]


def test_readiness_reports_the_condition_of_the_storage(memory_front, monkeypatch):
    assert memory_front.get("/readyz").json["storage"] == "writable"
    monkeypatch.setattr(memory_front.kept.stores.uploads, "condition", lambda: "read-only")
    assert memory_front.get("/readyz").json["storage"] == "read-only"


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


# ---------------------------------------------------------------- who sees what


PEOPLE = rules(
    binding("ada", READWRITE, "^team/.*$", "^$"),
    binding("ada", ("manifests blobs", "delete"), "^team/.*$"),
    binding("eve", ("catalog blobs manifests", "HEAD GET POST PUT PATCH DELETE"), "^eve/.*$", "^$"),
    binding("vera", ("catalog blobs manifests", "*"), "^$", "^team/app(:v.+)?$"),
    binding("tess", ("catalog manifests", "*"), "^$", "^team/app:v1$"),
    binding("mute", ("blobs manifests", "push"), "^team/.*$"),
    binding("anonymous", READONLY, "^lib/.*$", "^$"),
    users=["ada", "eve", "vera", "tess", "mute", "anonymous"],
)


@pytest.fixture
def people(make_front):
    """An application with images in three repositories, one of them with tags of two kinds."""
    front = make_front(rules=PEOPLE)
    for repository in ("team/app", "team/other", "lib/base"):
        push_image(front, repository, "v1")
    data = push_image(front, "team/app", "v2")
    front.push_manifest("team/app", "latest", data)
    return front


@pytest.mark.parametrize(
    ("user", "repositories"),
    [
        ("admin", ["lib/base", "team/app", "team/other"]),
        ("ada", ["team/app", "team/other"]),
        ("eve", []),
        ("vera", ["team/app"]),
        ("tess", ["team/app"]),
        (None, ["lib/base"]),
    ],
)
def test_the_catalog_lists_what_the_caller_may_pull_something_of(people, user, repositories):
    assert people.get("/v2/_catalog", user=user).json == {"repositories": repositories}


def test_a_filtered_catalog_is_paged_without_gaps_and_without_names_of_others(people):
    seen, target = [], "/v2/_catalog?n=1"
    while target:
        reply = people.get(target, user="ada")
        seen += reply.json["repositories"]
        link = reply.header("link")
        assert "lib/base" not in (link or "")
        target = link.partition("<")[2].partition(">")[0] if link else None
    assert seen == ["team/app", "team/other"]


def test_the_catalog_requires_its_permission(people):
    assert people.get("/v2/_catalog", user="mute").status == 403


def test_a_tag_list_holds_what_the_caller_may_pull(people):
    assert people.get("/v2/team/app/tags/list", user="ada").json["tags"] == ["latest", "v1", "v2"]
    assert people.get("/v2/team/app/tags/list", user="vera").json["tags"] == ["v1", "v2"]
    assert people.get("/v2/team/app/tags/list", user="tess").status == 403


@pytest.mark.parametrize(
    ("user", "tag", "status"), [("vera", "v1", 200), ("vera", "latest", 403), ("tess", "v1", 200), ("tess", "v2", 403)]
)
def test_pulling_a_tag_needs_that_tag(people, user, tag, status):
    assert people.get(f"/v2/team/app/manifests/{tag}", user=user).status == status


def test_pushing_a_tag_needs_that_tag(people):
    data = people.get("/v2/team/app/manifests/v1").body
    put = {"body": data, "headers": {"content-type": OCI_IMAGE_MANIFEST}}
    with people.unchanged():
        assert people.put("/v2/team/app/manifests/latest", user="vera", **put).status == 403
        assert (
            people.put(f"/v2/team/app/manifests/{digest_of(data)}?tag=v7&tag=latest", user="vera", **put).status == 403
        )
        assert people.put("/v2/team/app/manifests/v7?tag=prod", user="vera", **put).status == 403
    assert people.put(f"/v2/team/app/manifests/{digest_of(data)}?tag=v7&tag=v8", user="vera", **put).status == 201
    assert people.get("/v2/team/app/tags/list").json["tags"] == ["latest", "v1", "v2", "v7", "v8"]


def test_deleting_a_manifest_needs_every_tag_that_points_at_it(people):
    digest = digest_of(people.get("/v2/team/app/manifests/v1").body)
    with people.unchanged():
        assert people.delete(f"/v2/team/app/manifests/{digest}", user="vera").status == 403
    people.delete("/v2/team/app/manifests/latest")
    assert people.delete(f"/v2/team/app/manifests/{digest}", user="vera").status == 202


# ---------------------------------------------------------------- sessions and mounts


def told(reply):
    """An answer without what names this very request."""
    return (
        reply.status,
        sorted(reply.stable_headers),
        {name: value for name, value in reply.json.items() if name != "requestId"},
    )


@pytest.mark.parametrize("thief", ["admin", "mute"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_a_session_of_another_identity_does_not_exist(people, thief, method):
    session = people.post("/v2/team/app/blobs/uploads/", user="ada").location
    unknown = session[:-4] + "0000"
    body = b"stolen" if method in {"PATCH", "PUT"} else b""
    query = f"?digest={digest_of(b'stolen')}" if method == "PUT" else ""
    with people.unchanged():
        stolen, missing = (people.request(method, each + query, user=thief, body=body) for each in (session, unknown))
        elsewhere = people.request(method, session.replace("team/app", "team/other") + query, user="ada", body=body)
    assert {stolen.status, missing.status, elsewhere.status} == {404}
    assert stolen.codes == missing.codes == elsewhere.codes == ["BLOB_UPLOAD_UNKNOWN"]
    assert people.patch(session, user="ada", body=b"own").status == 202


def test_a_session_continues_with_another_credential_of_its_identity(people):
    location = people.post("/v2/team/app/blobs/uploads/", user="ada").location
    token = people.get("/token?scope=repository:team/app:push", user="ada").json["token"]
    assert people.patch(location, token=token, body=b"x").status == 202
    read_only = people.get("/token?scope=repository:team/app:pull", user="ada").json["token"]
    assert people.patch(location, token=read_only, body=b"x").status == 401


@pytest.mark.parametrize("source", ["team/app", "nowhere", "UPPER", "lib/base", None])
def test_a_mount_that_is_not_allowed_is_a_session_that_reveals_nothing(people, source):
    secret = people.push_blob("team/app", b"secret")
    absent = digest_of(b"absent")
    query = "" if source is None else f"&from={source}"
    answers = [people.post(f"/v2/eve/app/blobs/uploads/?mount={each}{query}", user="eve") for each in (secret, absent)]
    assert [reply.status for reply in answers] == [202, 202]
    assert {name for name, _ in answers[0].headers} == {name for name, _ in answers[1].headers}
    assert answers[0].body == answers[1].body == b""
    assert people.get(f"/v2/eve/app/blobs/{secret}", user="eve").status == 404


def test_a_mount_needs_push_here_as_much_as_pull_there(people):
    digest = people.push_blob("lib/base", b"public")
    with people.unchanged():
        assert people.post(f"/v2/lib/base/blobs/uploads/?mount={digest}&from=lib/base", user="eve").status == 403
    assert people.post(f"/v2/eve/app/blobs/uploads/?mount={digest}&from=lib/base", user="eve").status == 202
    mine = people.post(f"/v2/eve/app/blobs/uploads/?digest={digest_of(b'mine')}", user="eve", body=b"mine")
    assert mine.status == 201
    mounted = people.post(f"/v2/eve/other/blobs/uploads/?mount={digest_of(b'mine')}&from=eve/app", user="eve")
    assert mounted.status == 201


def test_the_limits_of_a_credential_hold_for_the_source_of_a_mount_too(people):
    digest = people.push_blob("team/other", b"other")
    mount = f"/v2/team/app/blobs/uploads/?mount={digest}&from=team/other"
    narrow = people.get("/token?scope=repository:team/app:pull,push", user="ada").json["token"]
    assert people.post(mount, token=narrow).status == 401  # its user may: a wider token would do
    scopes = "repository:team/app:pull,push repository:team/other:pull".replace(" ", "%20")
    wide = people.get(f"/token?scope={scopes}", user="ada").json["token"]
    assert people.post(mount, token=wide).status == 201


# ---------------------------------------------------------------- the same bytes


@pytest.mark.parametrize("credentials", [{"user": "eve"}, {"user": None}, {"token": "unknown"}])
def test_refused_and_missing_answer_with_the_same_bytes(people, credentials):
    digest, absent = people.push_blob("team/app", b"secret"), digest_of(b"absent")
    manifest = digest_of(people.get("/v2/team/app/manifests/v1").body)
    pairs = [
        ("GET", f"/v2/team/app/blobs/{digest}", f"/v2/team/app/blobs/{absent}"),
        ("HEAD", f"/v2/team/app/blobs/{digest}", f"/v2/team/app/blobs/{absent}"),
        ("DELETE", f"/v2/team/app/blobs/{digest}", f"/v2/team/app/blobs/{absent}"),
        ("GET", f"/v2/team/app/manifests/{manifest}", f"/v2/team/app/manifests/{absent}"),
        ("DELETE", f"/v2/team/app/manifests/{manifest}", f"/v2/team/app/manifests/{absent}"),
        ("GET", f"/v2/team/app/referrers/{manifest}", f"/v2/team/app/referrers/{absent}"),
    ]
    for method, exists, missing in pairs:
        one, other = (people.request(method, path, **credentials) for path in (exists, missing))
        assert one.status == other.status
        assert one.status in {401, 403}
        assert one.stable_headers == other.stable_headers
        if method != "HEAD":
            assert told(one) == told(other)


@pytest.mark.parametrize(
    "path", ["tags/list", "manifests/v1", "referrers/sha256:" + "0" * 64, "blobs/sha256:" + "0" * 64]
)
def test_a_hidden_repository_answers_like_an_absent_one(people, path):
    hidden, absent = (people.get(f"/v2/{name}/{path}", user="eve") for name in ("team/app", "team/abc"))
    assert hidden.status == absent.status == 403
    assert repr(told(hidden)).replace("team/app", "") == repr(told(absent)).replace("team/abc", "")
    assert hidden.json["errors"][0]["detail"].keys() == {"verb", "resource", "scope"}


# ---------------------------------------------------------------- rules that do not load


def test_readiness_reports_whether_the_rules_are_current(people):
    assert people.get("/readyz", user=None).json["configuration"] == "current"
    people.access.stale = "roles.yaml:3: secret words"
    reply = people.get("/readyz", user=None)
    assert (reply.status, reply.json["configuration"]) == (200, "stale")
    assert b"secret" not in reply.body


def test_readiness_lists_warnings_and_since_when(people):
    assert people.get("/readyz", user=None).json["warnings"] == []
    people.access.stale = "roles.yaml:3: secret words"
    first = people.get("/readyz", user=None).json["warnings"]
    people.clock.advance(60)
    assert people.get("/readyz", user=None).json["warnings"] == first
    assert first == [{"about": "rules", "since": format_moment(people.clock.now() - 60)}]


def test_rules_that_change_count_at_the_next_request(people):
    assert people.get("/v2/team/app/manifests/v1", user="ada").status == 200
    people.access.rules = rules(users=["ada"])
    assert people.get("/v2/team/app/manifests/v1", user="ada").status == 403
    people.access.rules = PEOPLE
    assert people.get("/v2/team/app/manifests/v1", user="ada").status == 200
