"""The page of a manifest."""

import json

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.media_types import OCI_IMAGE_INDEX
from simple_registry.ui.image_configs import MAX_SIZE
from simple_registry.ui.json_text import MAX_SHOWN
from simple_registry.ui.reading import MAX_TEXTS
from support.access import READONLY, binding, rules
from support.artifacts import child, push_artifact, push_built, push_index
from support.documents import encode, index, push_image
from support.pages import Browser

BASE = "/ui/team/app/-/manifests"
SPDX = b'{"spdxVersion":"SPDX-2.3","name":"app"}'


def facts(page):
    """Return the facts of a page by their names."""
    found = {}
    for each in page.all("dl", class_="facts"):
        terms, texts = each.all("dt"), each.all("dd")
        found |= {term.text: text.text for term, text in zip(terms, texts, strict=True)}
    return found


def section(page, identifier):
    """Return the table that follows a heading."""
    (main,) = page.all("main")
    at = next(at for at, each in enumerate(main.content) if getattr(each, "attributes", {}).get("id") == identifier)
    return next(each for each in main.content[at:] if getattr(each, "name", "") == "table")


def rows(table):
    return [[cell.text for cell in [*row.all("th"), *row.all("td")]] for row in table.one("tbody").all("tr")]


def commands(page):
    return [each.one("code").text for shown in page.all("ul", class_="commands") for each in shown.all("li")]


@pytest.fixture
def front(memory_front):
    return memory_front


def test_an_image_is_shown_with_its_config_and_the_commands_of_its_layers(front, admin):
    digest = push_built(front, "team/app", "v1", b"layer one", b"two")
    page = admin.get(f"{BASE}/v1")
    shown = facts(page)
    assert shown["Digest"].startswith(str(digest))
    assert (shown["Platform"], shown["Author"], shown["Tags"]) == ("linux/arm64", "ada", "v1")
    assert (shown["Entry point"], shown["Arguments"], shown["User"]) == ("/bin/app", "serve", "1000")
    assert (shown["Working directory"], shown["Ports"], shown["Volumes"]) == ("/srv", "8080/tcp", "/data")
    assert (shown["Stop signal"], shown["Kept by"]) == ("SIGINT", "the tag v1")
    assert shown["Pushed"].endswith("by admin")
    assert [row[:2] for row in rows(section(page, "layers"))] == [
        ["ADD rootfs.tar /", "9 B"],
        ["ENV MODE=fast", "no layer"],
        ["RUN make install buildkit", "3 B"],
    ]
    pairs = {row[0]: row[1] for table in page.all("table", class_="pairs") for row in rows(table)}
    assert pairs == {"PATH": "/bin", "MODE": "fast", "team": "blue"}
    assert [each["value"] for each in page.all("meter")] == ["9", "3"]
    assert page.all("time")[0]["datetime"] == "2026-01-02T03:04:05Z"


def test_the_commands_fit_the_address(front, admin):
    push_built(front, "team/app", "v1")
    assert "docker pull registry.example:5000/team/app:v1" in commands(admin.get(f"{BASE}/v1"))
    front.secure = False
    page = Browser(front).sign_in().get(f"{BASE}/v1")
    assert "podman pull --tls-verify=false registry.example:5000/team/app:v1" in commands(page)


def test_an_index_is_shown_with_its_platforms(front, admin):
    one, two = push_built(front, "team/app", "a", b"x" * 2000), push_built(front, "team/app", "b", b"y" * 3000)
    digest = push_index(front, "team/app", "v1", amd64=one, arm64=two)
    page = admin.get(f"{BASE}/v1")
    table = section(page, "platforms")
    assert [row[:2] for row in rows(table)] == [["linux/amd64", "image"], ["linux/arm64", "image"]]
    assert [link["href"] for link in table.all("a")] == [f"{BASE}/{one}", f"{BASE}/{two}"]
    assert page.one("details", class_="source").all("a")[0]["href"] == f"{BASE}/{one}"
    child = facts(admin.get(f"{BASE}/{one}"))
    assert child["Kept by"] == "the tag a"
    front.delete("/v2/team/app/manifests/a")
    assert f"by way of {digest.encoded[:12]}" in facts(admin.get(f"{BASE}/{one}"))["Kept by"]


def test_an_attestation_in_an_index_names_its_platform(front, admin):
    one = push_built(front, "team/app", "a")
    two = push_artifact(front, "team/app", "b", b"{}", content_type="application/vnd.in-toto+json")
    unknown = {"os": "unknown", "architecture": "unknown"}
    about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": str(one)}
    children = [
        {**child(front, "team/app", one), "platform": {"os": "linux", "architecture": "arm64"}},
        {**child(front, "team/app", two), "platform": unknown, "annotations": about},
    ]
    front.push_manifest("team/app", "v1", encode(index() | {"manifests": children}), OCI_IMAGE_INDEX)
    assert [row[0] for row in rows(section(admin.get(f"{BASE}/v1"), "platforms"))] == [
        "linux/arm64",
        "attestation of linux/arm64",
    ]


def test_referrers_are_shown_as_what_they_are_with_small_contents(front, admin):
    subject = push_built(front, "team/app", "v1")
    push_artifact(front, "team/app", None, SPDX, content_type="application/spdx+json", subject=subject)
    push_artifact(
        front,
        "team/app",
        None,
        b"sig",
        content_type="application/cose",
        artifact_type="application/vnd.cncf.notary.signature",
        subject=subject,
    )
    referrers = admin.get(f"{BASE}/v1").one("ul", class_="referrers").all("li")
    by_kind = {each.all("span", class_="badge")[0].text: each for each in referrers}
    assert set(by_kind) == {"SPDX SBOM", "notation signature"}
    assert json.loads(by_kind["SPDX SBOM"].one("pre").text) == json.loads(SPDX)
    assert by_kind["notation signature"].all("pre") == []
    link = by_kind["SPDX SBOM"].all("a")[0]["href"]
    page = admin.get(link)
    assert facts(page)["About"].startswith(subject.encoded[:12])
    assert json.loads(page.one("details", class_="content").one("pre").text) == json.loads(SPDX)


def test_signatures_of_older_versions_of_cosign_are_found_by_their_tags(front, admin):
    subject = push_built(front, "team/app", "v1")
    tag = f"sha256-{subject.encoded}.sig"
    payload = b'{"critical":{"type":"cosign container image signature"}}'
    kind = "application/vnd.dev.cosign.simplesigning.v1+json"
    push_artifact(front, "team/app", tag, payload, content_type=kind)
    (referrer,) = admin.get(f"{BASE}/v1").one("ul", class_="referrers").all("li")
    assert referrer.all("span", class_="badge")[0].text == "cosign signature"
    assert "cosign container image signature" in referrer.one("pre").text


def test_many_referrers_come_in_pages(front, admin):
    subject = push_built(front, "team/app", "v1")
    for number in range(25):
        push_artifact(front, "team/app", None, b"%d" % number, subject=subject, artifact_type="application/x.y")
    page, seen = admin.get(f"{BASE}/v1"), []
    while True:
        seen += [each.all("a")[0]["href"] for each in page.one("ul", class_="referrers").all("li")]
        following = page.all("a", rel="next")
        if not following:
            break
        page = admin.get(following[0]["href"])
    assert len(seen) == len(set(seen)) == 25


@pytest.mark.parametrize(
    "config", [[], 3, {"history": 3, "config": [], "os": 5}, {"history": [None, {"created_by": 5}]}]
)
def test_a_hostile_config_gives_a_partial_page(front, admin, config):
    push_built(front, "team/app", "v1", b"layer", config=config)
    assert "5 B" in section(admin.get(f"{BASE}/v1"), "layers").text


def test_a_large_config_is_not_read(front, admin):
    push_built(front, "team/app", "v1", config={"author": "a" * MAX_SIZE})
    page = admin.get(f"{BASE}/v1")
    assert "cannot be shown" in page.one("p", class_="warn").text


def test_one_page_shows_a_bounded_amount_of_contents(front, admin):
    subject = push_built(front, "team/app", "v1")
    for number in range(MAX_TEXTS // MAX_SHOWN + 2):
        content = b"%d" % number * MAX_SHOWN
        push_artifact(
            front, "team/app", None, content[:MAX_SHOWN], content_type="text/plain", subject=subject, name=str(number)
        )
    shown = admin.get(f"{BASE}/v1").one("ul", class_="referrers").all("pre")
    assert len(shown) == MAX_TEXTS // MAX_SHOWN


def test_large_and_binary_contents_are_not_shown(front, admin):
    push_artifact(front, "team/app", "large", b"a" * (MAX_SHOWN + 1), content_type="text/plain")
    push_artifact(front, "team/app", "binary", b"\xff\x00", content_type="text/plain")
    for tag in ("large", "binary"):
        details = admin.get(f"{BASE}/{tag}").one("details", class_="content")
        assert details.all("pre") == []


def test_a_manifest_that_is_not_there_is_not_found(front, admin):
    push_built(front, "team/app", "v1")
    for reference in ("v2", str(digest_of(b"none")), "%20", "sha256:x"):
        assert admin.ask("GET", f"{BASE}/{reference}").status in {400, 404}


def test_only_what_the_caller_may_see_is_shown(make_front):
    front = make_front(rules=rules(binding("ada", READONLY, "^team/app:v1$"), users=["ada"]))
    digest = push_built(front, "team/app", "v1")
    front.push_manifest("team/app", "secret", front.get(f"/v2/team/app/manifests/{digest}").body)
    browser = Browser(front).sign_in("ada")
    page = browser.get(f"{BASE}/v1")
    assert "secret" not in page.text
    assert page.all("a", class_="button") == []
    assert not facts(page).get("Entry point"), "its config is a blob of the repository"
    for path in (f"{BASE}/secret", f"{BASE}/{digest}", "/ui/team/other/-/tags"):
        browser.get(path, status=403)
    Browser(front).get(f"{BASE}/v1", status=401)


def test_who_may_pull_a_tag_sees_no_other_manifest(make_front):
    front = make_front(
        rules=rules(
            binding("ada", READONLY, "^team/app:v[12]$"),
            binding("ada", ("referrers", "GET"), "^team/app$"),
            users=["ada"],
        )
    )
    one = push_built(front, "team/app", "v1")
    index_digest = push_index(front, "team/app", "v2", amd64=one)
    push_artifact(front, "team/app", None, SPDX, content_type="application/spdx+json", subject=index_digest)
    browser = Browser(front).sign_in("ada")
    (child,) = rows(section(browser.get(f"{BASE}/v2"), "platforms"))
    assert child[1:3] == ["", "—"], "its kind and size are in another manifest"
    assert browser.get(f"{BASE}/v2").all("ul", class_="referrers") == []
    assert Browser(front).sign_in().get(f"{BASE}/v2").one("ul", class_="referrers")


HOSTILE = "<script>alert(1)</script>\"'{{7*7}}\u202e"
SHOWN = HOSTILE.replace("\u202e", "\\u202e")


def test_hostile_text_of_a_config_is_shown_as_text(front, admin):
    config = {
        **dict.fromkeys(("os", "architecture", "created", "author"), HOSTILE),
        "config": {
            **dict.fromkeys(("User", "WorkingDir", "StopSignal"), HOSTILE),
            **{name: [HOSTILE] for name in ("Entrypoint", "Cmd")},
            "Env": [f"{HOSTILE}={HOSTILE}"],
            **{name: {HOSTILE: HOSTILE} for name in ("Labels", "ExposedPorts", "Volumes")},
        },
        "history": [{"created_by": HOSTILE, "comment": HOSTILE, "author": HOSTILE}],
    }
    push_built(front, "team/app", "v1", b"layer", config=config)
    page = admin.get(f"{BASE}/v1")
    shown = facts(page)
    for name in (
        "Author",
        "Created",
        "User",
        "Working directory",
        "Stop signal",
        "Entry point",
        "Arguments",
        "Ports",
        "Volumes",
    ):
        assert shown[name] == SHOWN, name
    assert shown["Platform"] == f"{SHOWN}/{SHOWN}"
    assert rows(section(page, "layers"))[0][0] == f"{SHOWN} {SHOWN}"
    assert [row for table in page.all("table", class_="pairs") for row in rows(table)] == [[SHOWN, SHOWN]] * 2
    assert len(page.all("script")) == 1


def test_hostile_text_of_a_manifest_is_shown_as_text(front, admin):
    annotations = {HOSTILE: HOSTILE, "org.opencontainers.image.title": HOSTILE, "in-toto.io/predicate-type": HOSTILE}
    subject = push_built(front, "team/app", "v1")
    digest = push_artifact(
        front,
        "team/app",
        None,
        HOSTILE.encode(),
        content_type="text/plain",
        subject=subject,
        annotations=annotations,
        artifact_type="application/x.y",
    )
    for path in (f"{BASE}/{digest}", f"{BASE}/v1"):
        page = admin.get(path)
        assert page.all("script") == [page.one("script", defer="")]
        assert page.one("details", class_="content").one("pre").text == SHOWN
        assert SHOWN in [each.text for each in page.all("span", class_="badge")]


def test_the_json_of_a_large_manifest_is_not_shown(front, admin):
    push_image(front, "team/app", "v1", annotations={"a": "b" * (MAX_SHOWN + 1)})
    assert admin.get(f"{BASE}/v1").all("details", class_="source") == []


def test_hostile_types_are_shown_as_text(front, admin):
    kind = 'text/plain; a="<script>alert(1)</script>"'
    digest = push_artifact(front, "team/app", "v1", b"text", content_type=kind, artifact_type=kind)
    page = admin.get(f"{BASE}/{digest}")
    assert facts(page)["Type of artifact"] == kind
    summary = page.one("details", class_="content").one("summary")
    assert (summary["title"], summary.text) == (kind, "text/plain 4 B")
    assert len(page.all("script")) == 1
