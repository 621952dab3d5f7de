"""helm: charts in a registry."""

import pytest

from e2e.commands import built
from harness.gotools import HELM

pytestmark = pytest.mark.clients

CHART = "apiVersion: v2\nname: demo\nversion: {version}\ndescription: nothing much\n"


def trust(registry):
    return [f"--ca-file={registry.authority}" if registry.tls else "--plain-http"]


def login(registry):
    return ["registry", "login", *trust(registry), "-u", registry.username, "--password-stdin", registry.host]


@pytest.fixture(scope="module")
def helm(registry, home):
    """Helm, logged in."""
    command = built(HELM, home)
    command(*login(registry), stdin=registry.password)
    return command


@pytest.fixture
def package(helm, tmp_path):
    """Make a packaged chart of a version and return its file."""

    def package(version):
        folder = tmp_path / version / "demo"
        (folder / "templates").mkdir(parents=True)
        (folder / "Chart.yaml").write_text(CHART.format(version=version))
        (folder / "templates" / "map.yaml").write_text("kind: ConfigMap\napiVersion: v1\nmetadata: {name: demo}\n")
        helm("package", folder, "--destination", tmp_path)
        return tmp_path / f"demo-{version}.tgz"

    return package


def test_wrong_password_is_refused(registry, tmp_path):
    said = built(HELM, tmp_path).refused(*login(registry), stdin="wrong")

    assert "401" in said or "unauthorized" in said.lower()


def test_a_chart_is_pulled_unchanged(helm, registry, repository, package, tmp_path):
    chart, remote = package("1.0.0"), f"oci://{registry.host}/{repository}"
    pushed = chart.read_bytes()

    helm("push", *trust(registry), chart, remote)
    chart.unlink()
    helm("pull", *trust(registry), f"{remote}/demo", "--version", "1.0.0", "--destination", tmp_path)

    assert chart.read_bytes() == pushed
    assert "nothing much" in helm("show", "chart", *trust(registry), f"{remote}/demo", "--version", "1.0.0")


def test_newest_version_is_found_by_its_tags(helm, registry, repository, package):
    remote = f"oci://{registry.host}/{repository}"
    for version in ("1.9.0", "1.10.0", "2.0.0+build.1"):
        helm("push", *trust(registry), package(version), remote)

    assert "version: 1.10.0" in helm("show", "chart", *trust(registry), f"{remote}/demo", "--version", "^1.0.0")
    assert "version: 2.0.0+build.1" in helm("show", "chart", *trust(registry), f"{remote}/demo")


def test_template_is_rendered_from_the_registry(helm, registry, repository, package):
    helm("push", *trust(registry), package("1.0.0"), f"oci://{registry.host}/{repository}")

    said = helm("template", *trust(registry), "name", f"oci://{registry.host}/{repository}/demo")

    assert "kind: ConfigMap" in said


def test_logout_ends_access(registry, tmp_path, repository):
    command = built(HELM, tmp_path)
    command(*login(registry), stdin=registry.password)

    command("registry", "logout", registry.host)

    said = command.refused("pull", *trust(registry), f"oci://{registry.host}/{repository}/demo", "--version", "1.0.0")
    assert "credential not found" in said
