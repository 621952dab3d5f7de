"""Plain Kubernetes manifests: what the Helm chart renders with its default values, without what only Helm needs.

Python:  manifests() → text of each file by its name
shell:   python -m harness.kubernetes      (into packaging/kubernetes/)
"""

import subprocess
from typing import Any

import yaml

from harness import ROOT
from harness.gotools import HELM, build

CHART = ROOT / "packaging" / "helm" / "simple-registry"
MANIFESTS = ROOT / "packaging" / "kubernetes"
_OF_HELM = ("helm.sh/", "checksum/", "app.kubernetes.io/managed-by")
_HEADER = "# Made by `make kubernetes` from the Helm chart, whose templates say why things are as they are.\n"


def manifests() -> dict[str, str]:
    """Return the text of each file of `MANIFESTS` by its name.

    Raises: ToolUnavailable, CalledProcessError.
    """
    command = [str(build(HELM)), "template", "simple-registry", str(CHART)]
    rendered = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    objects = {f"{found['kind'].lower()}.yaml": _plain(found) for found in yaml.safe_load_all(rendered)}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(objects),
    }
    return {name: _HEADER + _dump(found) for name, found in {**objects, "kustomization.yaml": kustomization}.items()}


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """Return an object without labels and annotations of Helm."""
    for metadata in (found["metadata"], found.get("spec", {}).get("template", {}).get("metadata", {})):
        for kind in ("labels", "annotations"):
            kept = {name: text for name, text in metadata.pop(kind, {}).items() if not name.startswith(_OF_HELM)}
            metadata.update({kind: kept} if kept else {})
    return found


def _dump(found: dict[str, Any]) -> str:
    return yaml.safe_dump(found, sort_keys=False, width=120)


if __name__ == "__main__":
    MANIFESTS.mkdir(exist_ok=True)
    for name, text in manifests().items():
        (MANIFESTS / name).write_text(text)
