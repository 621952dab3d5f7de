"""The table of layers in `ARCHITECTURE.md`, held by the imports: one way, which is down."""

import re

import pytest

from support.sources import PACKAGE, ROOT, SOURCE, imports, modules

SINGLE = {
    "bounded_cache",
    "clock",
    "completion",
    "content",
    "faults",
    "files",
    "networks",
    "periodic",
    "request_id",
    "sizes",
    "tar_headers",
    "times",
}
"""Modules that import no other module of this program, except the faults that `content` raises."""

VALUES = {"oci", *SINGLE}
WIRE = {"wire", "content", "faults"}
ACCESS = VALUES | {"access"}
RECORDS = VALUES | {"storage.life", "storage.quotas", "storage.records"}
PROTOCOLS = RECORDS | {
    "storage.protection",
    "storage.protocols",
    "storage.inspection",
    "storage.purging",
    "storage.sources",
}
STORES = PROTOCOLS | {"storage.stores"}
ADAPTERS = [path.parent.name for path in (SOURCE / "storage").glob("*/__init__.py") if path.parent.name != "protocols"]

ALLOWED = {
    "oci": {"oci"},
    **{name: set() for name in SINGLE},
    "content": {"faults"},
    # HTTP on sockets, for which a registry is one application of many.
    "wire": WIRE,
    "metrics": {"metrics", "periodic"},
    "access": ACCESS,
    "storage.life": set(),
    "storage.quotas": VALUES,
    "storage.records": RECORDS,
    "storage.protection": RECORDS,
    "storage.protocols": RECORDS | {"storage.protection", "storage.protocols"},
    "storage.inspection": RECORDS | {"storage.protocols"},
    "storage.purging": RECORDS | {"storage.protocols"},
    "storage.sources": RECORDS,
    "storage.stores": PROTOCOLS,
    # A client: it knows nothing of this registry.
    "doctor": {"doctor", "sizes"},
    "upstream": VALUES | {"upstream"},
    **{f"storage.{adapter}": PROTOCOLS | {f"storage.{adapter}"} for adapter in ADAPTERS},
    # A signing key is a value of `access`; its file is one more thing that this adapter keeps.
    "storage.filesystem": PROTOCOLS | {"storage.filesystem", "access.signed_tokens"},
    # Which tags stay, and which version is the latest, are pure functions. Permissions are never decided here.
    "operations": PROTOCOLS | {"operations", "access.retention", "access.versions"},
    "authentication": ACCESS | {"operations.issued_tokens", "upstream.protocols", "authentication"},
    "http": ACCESS | WIRE | {"authentication", "operations", "metrics", "http"},
    "ui": ACCESS | {"authentication", "operations", "http", "metrics", "ui"},
    "config": ACCESS | {"config"},
    "operator_warnings": STORES,
    "services": ACCESS | STORES | {"authentication", "operations", "operator_warnings", "http", "config"},
    "maintenance": ACCESS | {"authentication", "operations"},
    "metrics_wiring": ACCESS
    | STORES
    | {"metrics", "http", "ui", "config", "operator_warnings", "server.audit_file", "services"},
    "backends": VALUES | STORES | {f"storage.{adapter}" for adapter in ADAPTERS} | {"backends"},
    "application": ACCESS
    | {
        "authentication",
        "backends",
        "http",
        "config",
        "maintenance",
        "metrics",
        "metrics_wiring",
        "operator_warnings",
        "services",
        "ui",
        "upstream",
    }
    | {"server.audit_file", "server.logging"},
    "server": VALUES | WIRE | {"metrics", "config", "server"},
    # Changes by a command are in the audit log, with the same event names.
    "cli": ACCESS
    | STORES
    | {
        "metrics",
        "metrics_wiring",
        "config",
        "server",
        "application",
        "backends",
        "services",
        "operations",
        "doctor",
        "cli",
    }
    | {"http.audit", "http.events"},
    "__main__": {"cli"},
}
THIRD_PARTY = {
    "apsw": {"storage.sqlite"},
    "bcrypt": {"access"},
    "cryptography": {"access", "config"},
    "jinja2": {"ui"},
    "jwt": {"access"},
    "markupsafe": {"ui"},
    "re2": {"access"},
    "uvloop": {"server"},
    "yaml": {"config"},
}

MODULES = modules()


def within(name, packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def own_imports(path):
    prefix = f"{PACKAGE}."
    # `from simple_registry import __version__` names no module.
    return [name.removeprefix(prefix) for name in imports(path) if name.startswith(prefix) and "__" not in name]


@pytest.mark.parametrize("module", [name for name in MODULES if name not in {"", "storage"}])
def test_a_module_imports_only_what_lies_below_it(module):
    layers = [layer for layer in ALLOWED if within(module, {layer})]
    assert len(layers) == 1, f"{module} belongs to no layer"
    foreign = [name for name in own_imports(MODULES[module]) if not within(name, ALLOWED[layers[0]])]
    assert foreign == []


@pytest.mark.parametrize("name", ["", "storage"])
def test_packages_that_hold_others_import_nothing(name):
    assert own_imports(MODULES[name]) == []


@pytest.mark.parametrize(("library", "packages"), THIRD_PARTY.items())
def test_a_library_is_known_to_one_layer(library, packages):
    users = {
        module for module, path in MODULES.items() if within(library, {each.split(".")[0] for each in imports(path)})
    }
    assert users
    assert {module for module in users if not within(module, packages)} == set()


def test_only_backends_name_adapters():
    adapters = {f"storage.{adapter}" for adapter in ADAPTERS}
    users = {
        module
        for module, path in MODULES.items()
        if not within(module, {"storage"}) and any(within(name, adapters) for name in own_imports(path))
    }
    assert users
    assert {module for module in users if not within(module, {"backends"})} == set()


def test_every_file_that_the_documents_name_exists():
    named = re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]+\.py)`", (ROOT / "ARCHITECTURE.md").read_text("utf-8"))
    assert named
    assert [name for name in named if not (SOURCE / name).is_file() and not (ROOT / name).is_file()] == []
