"""The journal over HTTP: what happened, as far as the caller may pull it."""

import pytest

from simple_registry.oci.digests import digest_of
from support.access import ADMINS, READONLY, binding, rules
from support.documents import push_image, push_tags

APP, OTHER = "/api/v1/repositories/team/app", "/api/v1/repositories/other"
READER = ("catalog manifests", "pull history")
RULES = rules(
    binding("ada", ADMINS, ""),
    binding("rita", READER, "^$", "^team/app(:v.+)?$"),
    binding("bob", READONLY, ""),
    binding("push", ("*", "GET HEAD POST PUT PATCH DELETE push delete"), ""),
    users=["ada", "rita", "bob", "push"],
)


@pytest.fixture
def front(make_front):
    front = make_front(rules=RULES)
    push_tags(front, "team/app", ["v1", "v2", "main"])
    push_image(front, "other", "v1", b"other")
    return front


def ids(reply):
    assert reply.status == 200
    return [event["id"] for event in reply.json["events"]]


def test_the_history_of_a_repository_is_listed_page_by_page(front):
    first = front.get(f"{APP}/history?n=2", user="ada")
    assert first.json["name"] == "team/app"
    assert ids(first) == [3, 2]
    link = first.header("link")
    assert link == f'<{APP}/history?n=2&before=2>; rel="next"'
    last = front.get(link.partition(">")[0][1:], user="ada")
    assert (ids(last), last.header("link")) == ([1], None)
    assert ids(front.get(f"{APP}/history?tag=v2", user="ada")) == [2]
    assert front.get(f"{APP}/history?tag=v2&n=1", user="ada").header("link") is None


def test_an_event_names_who_did_what_when(front):
    (event,) = front.get(f"{OTHER}/history").json["events"]
    assert (event["action"], event["tag"], event["before"]) == ("tag.set", "v1", None)
    assert (event["identity"], event["credential"], event["time"]) == ("admin", "password", "2023-11-14T22:13:20.000Z")


def test_a_reader_sees_what_may_be_pulled(front):
    assert ids(front.get(f"{APP}/history", user="rita")) == [2, 1]
    assert front.get(f"{OTHER}/history", user="rita").status == 403
    assert ids(front.get("/api/v1/events", user="rita")) == [1, 2]
    assert ids(front.get("/api/v1/events", user="ada")) == [1, 2, 3, 4]


@pytest.mark.parametrize("user", ["bob", "push"])
@pytest.mark.parametrize("path", [f"{APP}/history", "/api/v1/events", f"{APP}/tags/v1"])
def test_no_other_verb_gives_the_history(front, path, user):
    assert front.get(path, user=user).status == 403


def test_a_feed_is_followed_by_its_next_id(front):
    first = front.get("/api/v1/events?n=3", user="ada")
    assert (ids(first), first.json["next"]) == ([1, 2, 3], 3)
    assert first.header("link") == '</api/v1/events?n=3&after=3>; rel="next"'
    hidden = front.get("/api/v1/events?after=2", user="rita")
    assert (ids(hidden), hidden.json["next"], hidden.header("link")) == ([], 4, None)
    front.push_manifest("team/app", "v9", front.get("/v2/team/app/manifests/v1").body)
    assert ids(front.get("/api/v1/events?after=4", user="rita")) == [5]


def test_a_tag_is_resolved_at_a_time(front):
    old = front.get("/v2/team/app/manifests/v1").header("docker-content-digest")
    front.clock.advance(3600)
    new = digest_of(push_image(front, "team/app", "v1", b"new"))
    front.clock.advance(60)
    assert front.get(f"{APP}/tags/v1", user="rita").json["digest"] == str(new)
    at = front.get(f"{APP}/tags/v1?at=2m", user="rita")
    assert at.json == {"name": "team/app", "tag": "v1", "at": "2023-11-14T23:12:20.000Z", "digest": old}
    assert front.get(f"{APP}/tags/v1?at=2023-11-14T22:13:20Z", user="rita").json["digest"] == old
    assert front.get(f"{APP}/tags/v1?at=2023-11-14T22:13:19Z", user="rita").codes == ["MANIFEST_UNKNOWN"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{APP}/history?n=x", 400),
        (f"{APP}/history?before=-1", 400),
        ("/api/v1/events?after=1_0", 400),
        (f"{APP}/tags/v1?at=yesterday", 400),
        (f"{APP}/tags/v1?at=999999999w", 400),
        (f"{APP}/tags/v1?at=0001-01-01T00:00:00%2B23:59", 400),
        (f"{APP}/history?tag=:", 400),
        (f"{APP}/tags/:", 404),
        ("/api/v1/repositories/UPPER/history", 400),
        ("/api/v1/repositories/team/app", 404),
    ],
)
def test_a_wrong_question_is_refused(front, path, status):
    assert front.get(path).status == status


def test_repositories_may_have_the_names_of_endpoints(front):
    push_image(front, "team/app/history", "v1")
    assert ids(front.get(f"{APP}/history/history")) == [5]
    assert front.get(f"{APP}/history/tags/v1").status == 200
    assert front.delete(f"{APP}/history").status == 202
    assert front.get("/v2/team/app/history/manifests/v1").status == 404
    assert front.get("/v2/team/app/manifests/v1").status == 200
