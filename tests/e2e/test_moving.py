"""Moving: stores that other registries wrote through real pushes, adopted; exports that real clients read."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest

from e2e.commands import built, environment, installed, unavailable
from e2e.images import TAG, open_layout, write_layout, write_single_layout
from harness import subjects
from harness.gotools import CRANE, ORAS, REGCTL

pytestmark = pytest.mark.clients

REPOSITORIES = ("deleted", "docker", "team/app", "team/app/nested")
ACCEPTED = ", ".join(
    f"application/vnd.{name}+json"
    for name in (
        *("oci.image.index.v1", "oci.image.manifest.v1"),
        *("docker.distribution.manifest.list.v2", "docker.distribution.manifest.v2"),
    )
)


def ask(address, path, method="GET", body=None, **headers):
    request = urllib.request.Request(f"http://{address}{path}", method=method, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def manifest(address, repository, reference):
    status, headers, body = ask(address, f"/v2/{repository}/manifests/{reference}", Accept=ACCEPTED)
    return status, headers.get("Content-Type"), body


@dataclass(frozen=True)
class Served:
    """What a registry serves: its tags, and what comes for each tag and digest."""

    tags: dict
    manifests: dict
    blobs: dict


def served(address, repositories, digests):
    """Ask a registry for all that it serves of these repositories: every tag, and all `digests`."""
    by_digest = {(name, digest) for name in repositories for digest in digests}
    # Before manifests: distribution serves one as a blob, too, while it remembers it.
    blobs = {each: ask(address, f"/v2/{each[0]}/blobs/{each[1]}") for each in by_digest}
    listed = {name: ask(address, f"/v2/{name}/tags/list") for name in repositories}
    tags = {name: set(json.loads(body)["tags"] or ()) for name, (status, _, body) in listed.items() if status == 200}
    references = {(name, tag) for name, known in tags.items() for tag in known}
    manifests = {each: manifest(address, *each) for each in references | by_digest}
    return Served(
        {name: known for name, known in tags.items() if known},
        {each: found for each, found in manifests.items() if found[0] == 200},
        {each: body for each, (status, _, body) in blobs.items() if status == 200},
    )


def fill(address, home):
    """Push what registries hold in practice, by several clients, and leave an upload unfinished."""
    layout, single = write_layout(home / "layout"), write_single_layout(home / "single")
    crane, oras, regctl = (built(tool, home) for tool in (CRANE, ORAS, REGCTL))
    skopeo = installed("skopeo", home, "--insecure-policy")
    skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{layout.path}:{TAG}", f"docker://{address}/team/app:v1")
    skopeo(
        "copy",
        "--dest-tls-verify=false",
        "--format",
        "v2s2",
        f"oci:{single.path}:{TAG}",
        f"docker://{address}/docker:1",
    )
    for tag in ("v2", "latest", "gone"):
        crane("--insecure", "tag", f"{address}/team/app:v1", tag)
    crane("--insecure", "copy", f"{address}/team/app:v1", f"{address}/team/app/nested:v1")
    (home / "sbom.json").write_text("{}")
    oras("attach", "--plain-http", "--artifact-type", "application/spdx+json", f"{address}/team/app:v1", "sbom.json")
    oras("push", "--plain-http", f"{address}/deleted:v1", "sbom.json:text/plain")
    regctl("registry", "set", "--tls", "disabled", address)
    regctl("artifact", "put", "--artifact-type", "application/x", "--subject", f"{address}/team/app:v1", stdin="signed")
    regctl("tag", "delete", f"{address}/team/app:gone")
    deleted = ask(address, "/v2/deleted/manifests/v1", "HEAD", Accept=ACCEPTED)[1]["Docker-Content-Digest"]
    assert ask(address, f"/v2/deleted/manifests/{deleted}", "DELETE")[0] == 202
    location = ask(address, "/v2/team/app/blobs/uploads/", "POST", b"")[1]["Location"]
    octets = {"Content-Type": "application/octet-stream"}
    assert ask(address, location.partition(address)[2], "PATCH", b"half", **octets)[0] == 202


def digests_of(data):
    return {f"sha256:{path.name}" for path in data.glob("docker/registry/v2/blobs/sha256/*/*")}


def command(*words):
    done = subprocess.run(
        [sys.executable, "-m", "simple_registry", *map(str, words)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module", params=["docker-registry", "distribution"])
def store(request, tmp_path_factory):
    """The data directory of another registry that was stopped, and what it served before."""
    folder = tmp_path_factory.mktemp("other")
    found = [subject for subject in subjects.peers() if subject.name.startswith(request.param)]
    subject = found[0] if found else unavailable(f"{request.param} is neither installed nor built")
    with subjects.running(subject, folder) as other:
        home = tmp_path_factory.mktemp("home")
        environment(home)
        fill(other.address, home)
        other.stop()
    with subjects.running(subject, folder) as other:
        before = served(other.address, REPOSITORIES, digests_of(other.data))
        assert command("adopt", other.data, "-datadir", folder / "ours")[0] == 2, "it runs"
        assert not (folder / "ours").exists()
        other.stop()
    return other.data, before


@pytest.mark.parametrize("how", [(), ("-link",)])
def test_everything_that_was_pullable_is_pullable(store, tmp_path, how):
    data, before = store
    files = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    code, said, _ = command("adopt", data, "-dryrun", "-json")
    would = json.loads(said.splitlines()[-1])["summary"]

    assert command("adopt", data, *how, "-datadir", tmp_path / "data")[0] == code == 0
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == files
    code, said, _ = command("adopt", data, "-json", "-datadir", tmp_path / "data")
    again = json.loads(said.splitlines()[-1])["summary"]

    assert (code, again["blobs"], again["manifests"], again["uploads"]) == (0, 0, 0, 1)
    assert again["present"] >= would["blobs"] + would["manifests"]
    with subjects.running(subjects.OURS, tmp_path) as ours:
        after = served(ours.address, REPOSITORIES, digests_of(data))
    assert before.manifests
    assert {each: after.manifests.get(each) for each in before.manifests} == before.manifests
    assert {each: after.blobs.get(each) for each in before.blobs} == before.blobs
    assert after.tags == before.tags
    assert command("fsck", "-deep", "-datadir", tmp_path / "data")[0] == 0


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Folders of exports, of one repository and of two, and the layout that both hold."""
    folder = tmp_path_factory.mktemp("exported")
    layout = write_layout(folder / "layout")
    for name in ("team/app", "other"):
        assert command("import", layout.path, name, "-datadir", folder / "data")[0] == 0
    for target in ("one", "one.tar"):
        assert command("export", "team/app:v1", folder / target, "-datadir", folder / "data")[0] == 0
    assert command("export", "team/app", "other", folder / "two", "-datadir", folder / "data")[0] == 0
    return folder, layout


@pytest.mark.parametrize("source", ["oci:{}/one:v1", "oci-archive:{}/one.tar:v1", "oci:{}/two:team/app:v1"])
def test_skopeo_reads_an_export(exported, tmp_path, source):
    folder, layout = exported
    skopeo = installed("skopeo", tmp_path, "--insecure-policy")
    skopeo("copy", "--all", source.format(folder), f"oci:{tmp_path}/back:{TAG}")
    assert open_layout(tmp_path / "back").root() == layout.index


@pytest.mark.parametrize("words", [["{}/one:v1"], ["{}/one.tar:v1"]])
def test_oras_reads_an_export(exported, tmp_path, words):
    folder, layout = exported
    oras = built(ORAS, tmp_path)
    oras("cp", "--from-oci-layout", words[0].format(folder), "--to-oci-layout", f"{tmp_path}/back:{TAG}")
    assert open_layout(tmp_path / "back").root() == layout.index


def test_layouts_of_other_tools_are_imported(exported, tmp_path):
    folder, layout = exported
    skopeo = installed("skopeo", tmp_path, "--insecure-policy")
    skopeo("copy", "--all", f"oci:{folder}/one:v1", f"oci-archive:{tmp_path}/skopeo.tar:registry.example/app:v2")
    built(ORAS, tmp_path)("cp", "--from-oci-layout", f"{folder}/one:v1", "--to-oci-layout", f"{tmp_path}/oras:v3")
    for source in ("skopeo.tar", "oras"):
        assert command("import", tmp_path / source, "app", "-datadir", tmp_path / "data")[0] == 0
    with subjects.running(subjects.OURS, tmp_path) as ours:
        for tag in ("v2", "v3"):
            assert manifest(ours.address, "app", tag)[2] == layout.blob(layout.index)


def test_a_tree_of_layouts_is_adopted(exported, tmp_path):
    folder, layout = exported
    skopeo = installed("skopeo", tmp_path, "--insecure-policy")
    for tag in ("v1", "v2"):
        (tmp_path / "tree" / "team").mkdir(parents=True, exist_ok=True)
        skopeo("copy", "--all", f"oci:{folder}/one:v1", f"oci:{tmp_path}/tree/team/app:{tag}")
    built(ORAS, tmp_path)("cp", "--from-oci-layout", f"{folder}/one:v1", "--to-oci-layout", f"{tmp_path}/tree/b:v3")
    assert command("adopt", tmp_path / "tree", "-datadir", tmp_path / "data")[0] == 0
    with subjects.running(subjects.OURS, tmp_path) as ours:
        for name, tag in (("team/app", "v1"), ("team/app", "v2"), ("b", "v3")):
            assert manifest(ours.address, name, tag)[2] == layout.blob(layout.index)
            for image in layout.images.values():
                assert manifest(ours.address, name, image)[2] == layout.blob(image)
