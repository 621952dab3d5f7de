"""`import-config`: docker-registry and distribution, and this registry with the documents made of their files, give the
same answers to the same questions."""

import base64
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

from e2e.commands import unavailable
from harness import subjects
from harness.gotools import DISTRIBUTION, ToolUnavailable, build
from simple_registry.access.passwords import hash_password
from simple_registry.oci.digests import digest_of
from support.documents import CONFIG, encode, image

pytestmark = pytest.mark.clients

CONFIGURATION = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {data}}}
  cache: {{blobdescriptor: inmemory}}
  delete: {{enabled: {delete}}}
http: {{addr: "{address}", secret: asecret}}
{auth}
"""
AUTH = "auth: {{htpasswd: {{realm: theirs, path: {htpasswd}}}}}"
PASSWORDS = {"alice": "correct horse", "bob": "battery staple"}
MANIFEST = encode(image(b"a layer"))
CALLERS = (None, *PASSWORDS.items())
STRANGERS = (("alice", "wrong"), ("carol", "unknown"), ("dave", "of another hash"))
QUESTIONS = (
    ("GET", "/v2/_catalog", None),
    ("GET", "/v2/team/app/tags/list", None),
    ("HEAD", "/v2/team/app/manifests/v1", None),
    ("GET", f"/v2/team/app/manifests/{digest_of(MANIFEST)}", None),
    ("GET", f"/v2/team/app/blobs/{digest_of(CONFIG)}", None),
    ("GET", "/v2/team/app/manifests/absent", None),
    ("POST", "/v2/team/app/blobs/uploads/", b""),
    ("PUT", "/v2/team/app/manifests/v2", MANIFEST),
    ("PUT", "/v2/team/app/manifests/v1", MANIFEST),
    ("DELETE", f"/v2/team/app/blobs/{digest_of(b'unknown')}", None),
    ("DELETE", f"/v2/team/app/manifests/{digest_of(MANIFEST)}", None),
)


def theirs(name, auth, delete):
    """A registry of the distribution family with such a configuration."""
    program = shutil.which("docker-registry") if name == "docker-registry" else _built()
    if program is None:
        unavailable(f"{name} is not installed")

    def command(folder, data, address):
        htpasswd = folder / "htpasswd"
        lines = [f"{user}:{hash_password(password, 4).replace('$2b$', '$2y$')}" for user, password in PASSWORDS.items()]
        htpasswd.write_text("\n".join([*lines, "dave:$apr1$c2FsdA$8n3Qy3dVbGZ0cGxhY2Vob2"]) + "\n")
        rules = AUTH.format(htpasswd=htpasswd) if auth else ""
        text = CONFIGURATION.format(data=data, address=address, delete=str(delete).lower(), auth=rules)
        (folder / "config.yml").write_text(text)
        return subjects.Command([program, "serve", str(folder / "config.yml")], {"OTEL_TRACES_EXPORTER": "none"})

    return subjects.Subject(name, command, subjects.their_blob)


def _built():
    try:
        return str(build(DISTRIBUTION))
    except ToolUnavailable as error:
        unavailable(str(error))


def ours(documents):
    def command(folder, data, address):
        options = ["-datadir", str(data), "-addr", address, "-workers", "1", "-cfgdir", str(documents)]
        return subjects.Command([sys.executable, "-m", "simple_registry", "serve", *options])

    return subjects.Subject("simple-registry", command, subjects.our_blob)


def ask(registry, caller, method, path, body=None, kind="application/vnd.oci.image.manifest.v1+json"):
    headers = {"Accept": kind, "Content-Type": kind}
    if caller:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(caller).encode()).decode()
    connection = registry.connect()
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content if method == "GET" and "uploads" not in path and answer.status == 200 else b"", answer


def fill(registry, caller):
    for content in (CONFIG, b"a layer"):
        location = ask(registry, caller, "POST", "/v2/team/app/blobs/uploads/")[2].headers["Location"]
        path = location.partition(registry.address)[2] or location
        path += f"{'&' if '?' in path else '?'}digest={digest_of(content)}"
        assert ask(registry, caller, "PUT", path, content, "application/octet-stream")[0] == 201
    assert ask(registry, caller, "PUT", "/v2/team/app/manifests/v1", MANIFEST)[0] == 201


def answers(registry, filler):
    fill(registry, filler)
    found = {}
    # Without auth, credentials have no meaning there; here, wrong ones never count as anonymous.
    strangers = STRANGERS if filler else ()
    for caller, questions in (*((each, QUESTIONS) for each in CALLERS), *((each, QUESTIONS[:1]) for each in strangers)):
        for method, path, body in questions if filler or caller is None else ():
            status, content, _ = ask(registry, caller, method, path, body)
            verdict = "refused" if status in {403, 405} else status  # 405: deletion is not enabled
            found[caller, method, path] = verdict, json.loads(content) if content[:1] == b"{" else content
            if method == "DELETE" and status == 202:
                fill(registry, filler)
    return found


@contextmanager
def imported(folder, other):
    """This registry, with the documents that `import-config` makes of the other one's files."""
    words = ["import-config", other / "config.yml", "-htpasswd", other / "htpasswd"]
    done = subprocess.run(
        [sys.executable, "-m", "simple_registry", *map(str, words)], capture_output=True, text=True, check=True
    )
    documents = folder / "documents"
    documents.mkdir(parents=True)
    (documents / "imported.yaml").write_text(done.stdout)
    with subjects.running(ours(documents), folder) as registry:
        yield registry


@pytest.mark.parametrize("name", ["docker-registry", "distribution"])
@pytest.mark.parametrize(("auth", "delete"), [(True, True), (True, False), (False, True)])
def test_both_answer_alike(tmp_path, name, auth, delete):
    filler = ("alice", PASSWORDS["alice"]) if auth else None
    with subjects.running(theirs(name, auth, delete), tmp_path / "theirs") as registry:
        there = answers(registry, filler)
    with imported(tmp_path / "ours", tmp_path / "theirs") as registry:
        here = answers(registry, filler)
    assert {question: verdict for question, (verdict, _) in here.items()} == {
        question: verdict for question, (verdict, _) in there.items()
    }
    assert here == there
