"""The Helm chart and the plain manifests: objects that Kubernetes takes, for a registry that starts with them.

No cluster runs here. Objects are decoded strictly into the types of Kubernetes, and the command of the pod is started
over volumes laid out as Kubernetes lays them out.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager

import bcrypt
import pytest
import yaml

from e2e.commands import built, temporary_home, unavailable
from e2e.daemons import running
from e2e.server import PASSWORD, READY, Registry
from harness.certificates import issue
from harness.gotools import HELM, KUSTOMIZE, ToolUnavailable, go_command
from harness.kubernetes import CHART, MANIFESTS, manifests
from simple_registry import __version__
from simple_registry.cli.main import main
from simple_registry.doctor.findings import FAULTS
from simple_registry.server.worker import GRACE
from support.sources import ROOT

pytestmark = pytest.mark.installation

SOURCE = ROOT / "tests/installation/go"
GUIDE = (ROOT / "docs/installation/kubernetes.md").read_text("utf-8")
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)]
OVERLAY = next(each for each in EXAMPLES if "patches" in each)
SECONDS = 5
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=5)).decode()
ACCESS = """\
kind: Role
metadata: {name: all}
spec: {resources: ["*"], verbs: ["*"]}
---
kind: RoleBinding
metadata: {name: all}
spec: {subjects: [{kind: Group, name: staff}], roleRef: {name: all}, scopes: ["^.*$"]}"""
PROXY = {"web": {"trustedProxies": ["10.42.0.0/16"]}}
ALWAYS = Counter(["ConfigMap", "PersistentVolumeClaim", "Service", "StatefulSet"])


def user(name):
    return f"kind: User\nmetadata: {{name: {name}}}\nspec: {{passwordHash: {HASH}, groups: [staff]}}\n"


EVERYTHING = {
    "image": {"digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "pull"}],
    "admin": {"name": "root", "passwordHash": HASH},
    "settings": PROXY,
    "documents": {"access.yaml": ACCESS},
    "secretDocuments": {"users.yaml": user("alice")},
    "existingConfigMaps": ["more"],
    "existingSecrets": ["more"],
    "persistence": {"storageClass": "fast", "annotations": {"a": "b"}},
    "service": {"type": "NodePort", "nodePort": 30500, "annotations": {"a": "b"}},
    "ingress": {"enabled": True, "controller": "nginx", "className": "nginx", "host": "r.example", "tlsSecret": "tls"},
    "metrics": {"enabled": True, "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
    "networkPolicy": {
        "enabled": True,
        "clients": [{"namespaceSelector": {}}],
        "scrapers": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
        "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}],
    },
    "serviceAccountName": "registry",
    "podAnnotations": {"a": "b"},
    "podLabels": {"a": "b"},
    "priorityClassName": "high",
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
}
TLS = EVERYTHING | {"tls": {"existingSecret": "certificate"}, "ingress": {"enabled": False}}
SETS = {
    "nothing": ({}, Counter()),
    "everything": (EVERYTHING, Counter(["Secret", "Secret", "Service", "ServiceMonitor", "NetworkPolicy", "Ingress"])),
    "tls": (TLS, Counter(["Secret", "Secret", "Service", "ServiceMonitor", "NetworkPolicy"])),
    "a-claim": ({"persistence": {"existingClaim": "old"}}, Counter({"PersistentVolumeClaim": -1})),
    "no-storage-class": ({"persistence": {"storageClass": ""}}, Counter()),
    "an-administrator": ({"admin": {"existingSecret": "admin", "passwordHash": HASH}}, Counter()),
    "metrics": ({"metrics": {"enabled": True}}, Counter(["Service"])),
    "a-closed-network": ({"networkPolicy": {"enabled": True}}, Counter(["NetworkPolicy"])),
    "traefik": ({"ingress": {"enabled": True, "controller": "traefik", "host": "r.example"}}, Counter(["Ingress"])),
    "another-ingress": ({"ingress": {"enabled": True, "host": "r.example"}}, Counter(["Ingress"])),
}
REFUSED = {
    "an-unknown-value": ({"replicas": 2}, "replicas"),
    "a-password": ({"admin": {"passwordHash": "secret"}}, "/admin/passwordHash"),
    "an-option-as-setting": ({"settings": {"web": {"addr": ":80"}}}, "/settings/web/addr"),
    "a-file-that-is-not-read": ({"documents": {"users.txt": ""}}, "'users.txt'"),
    "the-chart's-file": ({"documents": {"settings.yaml": ""}}, "'settings.yaml'"),
    "two-files-of-a-name": ({"documents": {"a.yaml": ""}, "secretDocuments": {"a.yaml": ""}}, "both have a.yaml"),
    "many-writers": ({"persistence": {"accessMode": "ReadWriteMany"}}, "/persistence/accessMode"),
    "no-workers": ({"workers": 0}, "/workers"),
    "an-ingress-for-no-host": ({"ingress": {"enabled": True}}, "/ingress/host"),
    "an-unknown-controller": ({"ingress": {"controller": "haproxy"}}, "/ingress/controller"),
    "open-keys": ({"podSecurityContext": {"fsGroupChangePolicy": "Always"}}, "/podSecurityContext"),
    "tls-twice": (EVERYTHING | {"tls": {"existingSecret": "a"}}, "the ingress controller does TLS"),
    "one-port-for-two": ({"metrics": {"port": 5000}}, "/metrics/port"),
}


@pytest.fixture(scope="module")
def home():
    with temporary_home() as folder:
        yield folder


@pytest.fixture(scope="module")
def helm(home):
    return built(HELM, home)


@pytest.fixture(scope="module")
def render(helm, home):
    """Return a function that renders the chart with values."""

    def render(values):
        (home / "values.yaml").write_text(yaml.safe_dump(values))
        return helm("template", "simple-registry", CHART, "--values", home / "values.yaml")

    return render


@pytest.fixture(scope="module")
def decode(tmp_path_factory):
    """Return a function that decodes objects strictly, and returns their kinds."""
    program = tmp_path_factory.mktemp("decode") / "decode"
    try:
        command = [go_command(), "build", "-o", program, "."]
    except ToolUnavailable as error:
        unavailable(str(error))
    subprocess.run(command, cwd=SOURCE, env=os.environ | {"CGO_ENABLED": "0"}, check=True)

    def decode(text):
        done = subprocess.run([program], input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return Counter(done.stdout.split())

    return decode


def objects(rendered):
    """Return the rendered objects by kind and name."""
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(rendered)}


def pod_of(found):
    return found["StatefulSet", "simple-registry"]["spec"]["template"]["spec"]


# ---------------------------------------------------------------- objects


@pytest.mark.parametrize(("values", "more"), SETS.values(), ids=SETS)
def test_the_objects_are_ones_that_kubernetes_knows(helm, home, render, decode, values, more):
    kinds = decode(render(values))
    kinds.subtract(ALWAYS)
    kinds.subtract(more)
    assert {kind: count for kind, count in kinds.items() if count} == {}
    helm("lint", "--strict", CHART, "--values", home / "values.yaml")


@pytest.mark.parametrize(("values", "place"), REFUSED.values(), ids=REFUSED)
def test_wrong_values_are_refused(helm, home, values, place):
    (home / "wrong.yaml").write_text(yaml.safe_dump(values))
    assert place in helm.refused("template", "simple-registry", CHART, "--values", home / "wrong.yaml")


def test_a_field_that_kubernetes_does_not_know_is_found(render, decode):
    with pytest.raises(AssertionError, match="unknown field"):
        decode(render({}).replace("terminationGracePeriodSeconds", "terminationGraceSeconds"))


def test_the_chart_has_the_version_of_the_program():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_the_plain_manifests_are_those_of_the_chart(decode):
    files = {path.name: path.read_text() for path in MANIFESTS.glob("*.yaml")}
    assert files == manifests()
    kustomization = yaml.safe_load(files.pop("kustomization.yaml"))
    assert kustomization["resources"] == sorted(files)
    assert decode("---\n".join(files.values())) == ALWAYS


def test_kustomize_makes_the_changes_of_the_guide(home, decode):
    kustomize = built(KUSTOMIZE, home)
    (home / OVERLAY["resources"][0]).parent.mkdir(parents=True)
    shutil.copytree(MANIFESTS, home / OVERLAY["resources"][0])
    (home / "kustomization.yaml").write_text(yaml.safe_dump(OVERLAY))
    made = kustomize("build", home)
    assert decode(made) == ALWAYS
    found = objects(made)
    changed = OVERLAY["images"][0]
    assert pod_of(found)["containers"][0]["image"] == f"{changed['newName']}:{changed['newTag']}"
    claim = found["PersistentVolumeClaim", "simple-registry"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "500Gi"


@pytest.mark.parametrize("values", [each for each in EXAMPLES if each is not OVERLAY], ids=min)
def test_the_values_of_the_guide_are_ones_of_the_chart(render, decode, values):
    decode(render(values))


def test_the_pod_meets_the_restricted_security_standard(render):
    pod = pod_of(objects(render(EVERYTHING)))
    context, confined = pod["securityContext"], pod["containers"][0]["securityContext"]
    assert (context["runAsNonRoot"], context["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    assert (confined["allowPrivilegeEscalation"], confined["capabilities"]) == (False, {"drop": ["ALL"]})
    assert confined["readOnlyRootFilesystem"]
    assert pod["automountServiceAccountToken"] is False


def test_requests_may_end_before_the_pod_is_killed(render):
    assert pod_of(objects(render({})))["terminationGracePeriodSeconds"] > GRACE


def test_settings_restart_the_pod_and_documents_do_not(render):
    def template(values):
        return objects(render(values))["StatefulSet", "simple-registry"]["spec"]["template"]

    before = template({"documents": {"a.yaml": ACCESS}})
    assert template({"documents": {"a.yaml": ACCESS, "b.yaml": user("bob")}}) == before
    assert template({"documents": {"a.yaml": ACCESS}, "settings": PROXY}) != before
    assert template({"documents": {"a.yaml": ACCESS}, "admin": {"passwordHash": HASH}}) != before


def test_the_ingress_has_what_doctor_prints_for_nginx(render):
    annotations = objects(render(EVERYTHING))["Ingress", "simple-registry"]["metadata"]["annotations"]
    printed = dict(
        line.rstrip(";").split(" ", 1)
        for fault in FAULTS.values()
        for line in fault.mends.get("nginx", "").splitlines()
        if line.startswith(("proxy_read_timeout", "proxy_send_timeout", "proxy_request_buffering", "client_max_body"))
    )
    assert printed == {
        "client_max_body_size": annotations["nginx.ingress.kubernetes.io/proxy-body-size"],
        "proxy_request_buffering": annotations["nginx.ingress.kubernetes.io/proxy-request-buffering"],
        "proxy_read_timeout": annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"] + "s",
        "proxy_send_timeout": annotations["nginx.ingress.kubernetes.io/proxy-send-timeout"] + "s",
    }


# ---------------------------------------------------------------- the pod


@pytest.fixture
def pod(tmp_path):
    return Pod(tmp_path)


class Pod:
    """The container of a rendered pod as a process, over its volumes in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.versions = 0

    def lay_out(self, found, **others):
        """Fill the volumes with the files of ConfigMaps and Secrets; `others` are files of objects by name."""
        self.versions += 1
        container = pod_of(found)["containers"][0]
        places = {mount["name"]: self.folder / mount["name"] for mount in container["volumeMounts"]}
        for volume in pod_of(found)["volumes"]:
            names = sources_of(volume)
            if names:
                files = {}
                for kind, name in names:
                    files |= others[name] if name in others else data_of(found.get((kind, name), {}))
                mount_as_kubernetes_does(places[volume["name"]], files, self.versions)
        self.args = [placed(word, container["volumeMounts"], places) for word in container["args"]]

    @contextmanager
    def run(self, scheme):
        """Run it, and yield a function that returns the status of a request."""
        home = self.folder / "home"
        home.mkdir()
        with running([sys.executable, "-m", "simple_registry", *self.args], home, READY.search):
            found = READY.search((home / "daemon.log").read_text())
            authority = self.folder / "authority/ca.crt" if scheme == "https" else None
            assert found[1] == scheme

            def status(path, username="nobody"):
                registry = Registry(scheme, found[2], found[2], home / "daemon.log", 0, authority, username, PASSWORD)
                return registry.request("GET", path).status

            yield status


def sources_of(volume):
    """Return kind and name of each object whose files a volume holds."""
    if "secret" in volume:
        return [("Secret", volume["secret"]["secretName"])]
    kinds = {"configMap": "ConfigMap", "secret": "Secret"}
    sources = volume.get("projected", {}).get("sources", [])
    return [(kinds[kind], source["name"]) for each in sources for kind, source in each.items()]


def data_of(found):
    return found.get("data") or found.get("stringData") or {}


def mount_as_kubernetes_does(place, files, version):
    """Write files into a new folder and let a link point there, in one step; names that are visible are links, too."""
    folder = place / f"..version-{version}"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
        if not (place / name).is_symlink():
            (place / name).symlink_to(f"..data/{name}")
    (place / "..data-new").symlink_to(folder.name)
    (place / "..data-new").rename(place / "..data")


def placed(word, mounts, places):
    """Return an argument with folders of ours instead of those in the container, and free ports."""
    option, _, value = word.partition("=")
    if option in {"-addr", "-metrics-addr"}:
        return f"{option}=127.0.0.1:0"
    for mount in sorted(mounts, key=lambda each: -len(each["mountPath"])):
        if value == mount["mountPath"] or value.startswith(mount["mountPath"] + "/"):
            return f"{option}={places[mount['name']]}{value.removeprefix(mount['mountPath'])}"
    return word


def eventually(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_pod_starts_with_nothing_and_makes_an_administrator(render, pod):
    found = objects(render({}))
    pod.lay_out(found)
    with pod.run("http") as status:
        container = pod_of(found)["containers"][0]
        probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
        assert [(probe["scheme"], status(probe["path"])) for probe in probes] == [("HTTP", 200)] * 3
        assert "  password  " in (pod.folder / "home/daemon.log").read_text()


def test_the_pod_follows_a_changed_config_map_and_secret(render, pod):
    certificates = issue(pod.folder)
    others = {"certificate": {"tls.crt": certificates.certificate.read_text(), "tls.key": certificates.key.read_text()}}
    found = objects(render(TLS))
    pod.lay_out(found, **others)
    with pod.run("https") as status:
        probe = pod_of(found)["containers"][0]["readinessProbe"]["httpGet"]
        assert (probe["scheme"], status(probe["path"])) == ("HTTPS", 200)
        assert [status("/v2/", name) for name in ("root", "alice", "bob")] == [200, 200, 401]
        changed = TLS | {"secretDocuments": {"users.yaml": user("bob")}}
        pod.lay_out(objects(render(changed)), **others)
        eventually(lambda: status("/v2/", "bob") == 200)
        assert [status("/v2/", name) for name in ("root", "alice")] == [200, 401]


def test_the_program_takes_the_documents_of_the_guide(render, pod, capsys):
    pod.lay_out(objects(render(next(each for each in EXAMPLES if "documents" in each))))
    assert main(["policy", "check", str(pod.folder / "documents")]) == 0
    assert capsys.readouterr().out.endswith("; 0 warnings\n")


def test_the_program_takes_the_documents_and_the_options(render, pod, capsys):
    pod.lay_out(objects(render(EVERYTHING)))
    assert main(["policy", "check", str(pod.folder / "documents")]) == 0
    assert capsys.readouterr().out.endswith("; 0 warnings\n")
    assert main(["config", "check", *pod.args[1:]]) == 0, capsys.readouterr().out
