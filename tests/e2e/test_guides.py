"""The guides lead to a pushed image: their commands run as they are printed, with another address.

A `sh` block after the line `<!-- run: NAME -->` runs in the environment of that client, all blocks of a page together.
Of the pages about CI systems, the scripts of the jobs run, with the variables that the system sets.
"""

import json
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from e2e.clients import podman_at
from e2e.commands import Command, installed, temporary_home
from e2e.daemons import dockerd
from e2e.images import layer_archive
from e2e.server import PASSWORD, Registry, serve
from harness import ROOT

pytestmark = pytest.mark.clients

NAME = "registry.example.com"
"""The registry's name in the guides, and the audience of tokens."""
REQUEST_TOKEN = "request-token-0123456789"
_LOGIN = re.compile(r"^((?:docker|podman) login .*-u admin .*)$", re.MULTILINE)


def page(name: str) -> str:
    return (ROOT / "docs" / "guides" / f"{name}.md").read_text("utf-8")


def fences(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page(name), re.DOTALL | re.MULTILINE)


def documents(name: str) -> list[dict[str, Any]]:
    """Return the documents for the registry that a page has."""
    found = (yaml.safe_load_all(text) for text in fences(name, "yaml") if "kind:" in text)
    return [document for text in found for document in text]


def workflow(name: str) -> dict[Any, Any]:
    """Return the YAML of a page that is the CI system's, not the registry's."""
    (text,) = (text for text in fences(name, "yaml") if "kind:" not in text)
    return yaml.safe_load(text)


def runnable(name: str) -> str:
    blocks = re.findall(r"^<!-- run: [a-z]+ -->\n```sh\n(.*?)^```$", page(name), re.DOTALL | re.MULTILINE)
    assert blocks
    return "".join(blocks)


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs scripts in a folder with a `Dockerfile`, with the commands of one engine, which has the image `busybox`."""

    folder: Path
    commands: Mapping[str, Command]

    def run(self, script: str, **variables: str) -> str:
        """Run a script that has to succeed."""
        functions = [f'{name}() {{ command {shlex.join(each.words)} "$@"; }}' for name, each in self.commands.items()]
        text = _LOGIN.sub(rf"\1 --password-stdin <<< {shlex.quote(PASSWORD)}", script)
        (engine, *_) = self.commands.values()
        bash = Command(("bash", "-euo", "pipefail", "-c"), self.folder, engine.environment)
        return bash.with_environment(**variables)("\n".join([*functions, text]))


@pytest.fixture(scope="module")
def docker() -> Iterator[Shell]:
    with temporary_home() as home, dockerd(home):
        command = installed("docker", home, "--host", f"unix://{home / 'socket'}")
        yield shell(home, {"docker": command})


@pytest.fixture(scope="module")
def podman() -> Iterator[Shell]:
    with temporary_home() as home:
        (home / "auth.json").write_text("{}")
        yield shell(home, {"podman": podman_at(home), "skopeo": installed("skopeo", home, "--insecure-policy")})


def shell(home: Path, commands: Mapping[str, Command]) -> Shell:
    (engine, *_) = commands.values()
    (home / "busybox.tar").write_bytes(layer_archive())
    engine("import", home / "busybox.tar", "busybox")
    (home / "work").mkdir()
    (home / "work" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    return Shell(home / "work", commands)


@contextmanager
def registry_with(folder: Path, *documents: dict[str, Any]) -> Iterator[Registry]:
    with serve(folder, configuration=yaml.safe_dump_all(documents)) as registry:
        yield registry


@contextmanager
def trusting(name: str, folder: Path, **claims: object) -> Iterator[tuple[Registry, str]]:
    """Run a registry with the documents of a page; yield it and a token that the page's issuer signed."""
    key = rsa.generate_private_key(65537, 2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    folder.mkdir()
    (folder / "keys.json").write_text(json.dumps({"keys": [public | {"kid": "1", "alg": "RS256", "use": "sig"}]}))
    found = documents(name)
    (issuer,) = (each["spec"] for each in found if each["kind"] == "TokenIssuer")
    issuer["keys"] = {"jwksFile": str(folder / "keys.json")}
    now = int(time.time())
    claims |= {"iss": issuer["issuer"], "aud": issuer["audience"], "iat": now, "exp": now + 600}
    with registry_with(folder / "registry", *found) as registry:
        yield registry, jwt.encode(claims, key, "RS256", {"kid": "1"})


@contextmanager
def token_service(token: str) -> Iterator[str]:
    """Answer as GitHub does to a job that asks for its token; yield the address."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)["audience"] == [NAME]
            is_job = self.headers["Authorization"] == f"Bearer {REQUEST_TOKEN}"
            body = json.dumps({"value": token}).encode()
            self.send_response(200 if asked and is_job else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/token?api-version=2.0"
        server.shutdown()


def assert_pushed(registry: Registry, *references: str) -> None:
    missing = [reference for reference in references if not registry.digest(*reference.rsplit(":", 1))]
    assert missing == []


def test_the_guide_for_docker(docker, tmp_path):
    with serve(tmp_path / "registry") as registry:
        docker.run(runnable("docker").replace("localhost:5000", registry.host))

        assert_pushed(registry, "library/busybox:latest", "team/app:1.0", "team/app:1.0-amd64", "team/app:1.1")


def test_the_guide_for_podman(podman, tmp_path):
    with serve(tmp_path / "registry") as registry:
        printed = podman.run(runnable("podman").replace("localhost:5000", registry.host))

        assert_pushed(registry, "library/busybox:latest", "team/app:1.0-amd64", "team/app:1.0", "mirror/app:1.0")
        assert "1.0-amd64" in printed


def test_the_guide_for_a_token(docker, tmp_path):
    with registry_with(tmp_path / "registry", *documents("token")) as registry:
        secret = create_token(tmp_path / "registry" / "data")
        docker.run(runnable("token").replace(NAME, registry.host), REGISTRY_TOKEN=secret, COMMIT="abc")

        assert_pushed(registry, "team/app:abc")


def create_token(datadir: Path) -> str:
    """Run the guide's command that creates the token; return what it prints."""
    (command,) = (text for text in fences("token", "sh") if "token create" in text)
    command = command.replace("\\\n", "").replace("/var/lib/simple-registry > robot.token", str(datadir))
    words = shlex.split(command)
    assert words[0] == "simple-registry"
    made = subprocess.run(
        [sys.executable, "-m", "simple_registry", *words[1:]], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_the_guide_for_jenkins(docker, tmp_path):
    (pipeline,) = fences("jenkins", "groovy")
    (script,) = re.findall(r"sh '''\n(.*?)'''", pipeline, re.DOTALL)
    (image,) = re.findall(r'IMAGE = "(.*?)"', pipeline)
    with registry_with(tmp_path / "registry", *documents("token")) as registry:
        secret = create_token(tmp_path / "registry" / "data")
        place = image.replace(NAME, registry.host).replace("${env.GIT_COMMIT}", "abc")
        docker.run(script.replace(NAME, registry.host), ROBOT="robot", TOKEN=secret, IMAGE=place)

        assert_pushed(registry, "team/app:abc")
        assert secret not in pipeline


def steps_of(job: Mapping[str, Any]) -> Sequence[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_guide_for_github_actions(docker, tmp_path):
    (job,) = workflow("github-actions")["jobs"].values()
    claims = {"sub": "repo:example-org/app:ref:refs/heads/main", "repository": "example-org/app"}
    claims |= {"repository_owner": "example-org", "ref": "refs/heads/main"}
    with trusting("github-actions", tmp_path / "issuer", **claims) as (registry, token), token_service(token) as url:
        for step in steps_of(job):
            docker.run(
                step,
                REGISTRY=registry.host,
                GITHUB_REPOSITORY="example-org/app",
                GITHUB_SHA="abc",
                ACTIONS_ID_TOKEN_REQUEST_URL=url,
                ACTIONS_ID_TOKEN_REQUEST_TOKEN=REQUEST_TOKEN,
            )

        assert_pushed(registry, "ci/example-org/app:abc")


def test_the_guide_for_gitlab(docker, tmp_path):
    (job,) = workflow("gitlab-ci").values()
    (variable,) = job["id_tokens"]
    claims = {"sub": "project_path:team/app:ref_type:branch:ref:main", "project_path": "team/app"}
    claims |= {"namespace_path": "team", "ref_protected": "true"}
    assert job["id_tokens"][variable] == {"aud": NAME}
    with trusting("gitlab-ci", tmp_path / "issuer", **claims) as (registry, token):
        script = "\n".join(job["script"]).replace(NAME, registry.host)
        docker.run(script, CI_PROJECT_PATH="team/app", CI_COMMIT_SHORT_SHA="abc", **{variable: token})

        assert_pushed(registry, "team/app:abc")
