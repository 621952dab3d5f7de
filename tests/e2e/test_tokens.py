"""Short-lived tokens with real clients: they carry narrow roles, differing clocks mean nothing, refusals end."""

import json
import os
import shlex
import sys
from pathlib import Path

import bcrypt
import pytest
import yaml

from e2e.clients import Session
from e2e.commands import built, installed, unavailable
from e2e.images import TAG, write_single_layout
from e2e.scenarios import Account, fill
from e2e.server import serve
from harness.gotools import CRANE, ORAS

pytestmark = pytest.mark.clients

ROBOT = Account("robot", "promote: me/£")
REPOSITORY = "team/app"
FIRST, SECOND = "release-1", "release-2"
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def document(kind, name, **spec):
    return {"kind": kind, "metadata": {"name": name}, "spec": spec}


def binding(name, user, role, *scopes):
    subjects = [{"kind": "User", "name": user}]
    return document("RoleBinding", name, subjects=subjects, roleRef={"name": role}, scopes=list(scopes))


def documents(challenge):
    """Return documents with a robot that moves release tags, and anonymous pulls below `public`."""
    hashed = bcrypt.hashpw(ROBOT.secret.encode(), bcrypt.gensalt(4)).decode()
    return yaml.safe_dump_all(
        [
            document("Configuration", "tokens", web={"challenge": challenge}),
            document("User", ROBOT.username, passwordHash=hashed),
            document("User", "anonymous"),
            document("Role", "promote", resources=["manifests"], verbs=["GET", "PUT"]),
            document("Role", "readonly", resources=["manifests", "blobs"], verbs=["pull"]),
            binding("promotion", ROBOT.username, "promote", ":release-[0-9]+$"),
            binding("what-it-pulls", ROBOT.username, "readonly", f"^{REPOSITORY}$"),
            binding("public", "anonymous", "readonly", "^public/"),
        ]
    )


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A registry that challenges with Bearer, over TLS."""
    folder = tmp_path_factory.mktemp("tokens")
    with serve(folder, tls=True, configuration=documents("bearer")) as running:
        fill(running, folder, "team", [FIRST, "v1"])
        fill(running, folder, "public", [FIRST])
        yield running


def logged_in(tool, registry, home, *options):
    trust = {"SSL_CERT_FILE": str(registry.authority)}
    command = built(tool, home).with_environment(**trust)
    words = ["auth", "login"] if tool is CRANE else ["login", *options]
    command(*words, registry.host, "-u", ROBOT.username, "--password-stdin", stdin=ROBOT.secret)
    return command


def requests_to(registry, *, since=0):
    """Return the requests in the log after the first `since`, as method, path and status."""
    lines = [json.loads(line) for line in registry.log.read_text().splitlines() if line.startswith("{")]
    found = [(line["method"], line["path"], line["status"]) for line in lines if line.get("message") == "request"]
    return found[since:]


# --- narrow roles


@pytest.mark.parametrize("name", ["crane", "oras"])
def test_a_robot_that_is_bound_to_release_tags_moves_them_and_no_other(registry, tmp_path, name):
    options = ["--ca-file", str(registry.authority)] if name == "oras" else []
    command = logged_in(CRANE if name == "crane" else ORAS, registry, tmp_path, *options)
    source, target = f"{registry.host}/{REPOSITORY}:{FIRST}", f"{SECOND}{len(name)}"

    command("tag", *options, source, target)

    assert registry.digest(REPOSITORY, target) == registry.digest(REPOSITORY, FIRST)
    said = command.refused("tag", *options, source, "latest")
    assert "denied" in said.lower()
    assert registry.digest(REPOSITORY, "latest") is None


def test_docker_pulls_as_the_robot(registry, clients, tmp_path):
    session: Session = clients("docker").at(registry, tmp_path, ROBOT)
    assert session.log_in().accepted

    pulled, refused = session.pull(REPOSITORY, FIRST), session.pull(REPOSITORY, "v1")

    assert pulled.accepted, pulled.said
    assert not refused.accepted
    assert "denied" in refused.said


# --- refusals of anonymous tokens


@pytest.mark.parametrize("name", ["docker", "ctr", "crane", "podman", "oras", "regctl"])
def test_a_client_without_credentials_gives_up_soon(registry, clients, tmp_path, name):
    session = clients(name).at(registry, tmp_path, None)
    for act, place, most in ((session.pull, (REPOSITORY, FIRST), 8), (session.push, ("public/new", "v1"), 25)):
        before = len(requests_to(registry))

        attempt = act(*place)

        assert not attempt.accepted
        assert any(word in attempt.said.lower() for word in ("unauthorized", "authorization", "denied")), attempt.said
        sent = requests_to(registry, since=before)
        assert 0 < len(sent) <= most, sent
    assert session.pull("public/app", FIRST).accepted


# --- clocks


@pytest.mark.parametrize("offset", ["-20m", "+20m"])
def test_a_clock_that_differs_costs_no_further_tokens(tmp_path, monkeypatch, offset):
    if not FAKETIME.exists():
        unavailable("libfaketime is not installed")
    clock = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    command = os.environ.get("E2E_REGISTRY") or shlex.join([sys.executable, "-m", "simple_registry"])
    words = [f"{name}={value}" for name, value in clock.items()]
    monkeypatch.setenv("E2E_REGISTRY", f"env {shlex.join(words)} {command}")
    skopeo = installed("skopeo", tmp_path, "--insecure-policy")
    layout = write_single_layout(tmp_path / "layout")
    with serve(tmp_path / "server", tls=True, configuration=documents("bearer")) as registry:
        skopeo(
            *("copy", f"--dest-cert-dir={registry.certificates}"),
            *("--dest-creds", f"{registry.username}:{registry.password}"),
            *(f"oci:{layout.path}:{TAG}", f"docker://{registry.host}/{REPOSITORY}:v1"),
        )
        sent = requests_to(registry)
    tokens = [path for _, path, _ in sent if path == "/token"]
    assert len(tokens) == 1, sent
