"""What people keep in registries, as their tools push it: images, charts, modules, signatures, SBOMs, attestations."""

import base64
import io
import json
import random
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass

from browser.pushing import EMPTY, Json, Repository
from e2e.images import CONFIG, LAYER

KIB, MIB = 1024, 1024 * 1024
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
WASM_CONFIG, WASM = "application/vnd.wasm.config.v0+json", "application/wasm"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
COSIGN_SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"
SIGSTORE_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
NOTATION_SIGNATURE, JWS = "application/vnd.cncf.notary.signature", "application/jose+json"
SPDX, CYCLONEDX, IN_TOTO = "application/spdx+json", "application/vnd.cyclonedx+json", "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an image's history; `size` is that of its layer, 0 for a step without one."""

    command: str
    size: int = 0


DEBIAN = Step("/bin/sh -c #(nop) ADD file:8b1a0f3d7f2c in / ", 3 * MIB)
SHOP = (
    DEBIAN,
    Step('/bin/sh -c #(nop)  CMD ["bash"]'),
    Step("ENV PYTHON_VERSION=3.13.1"),
    Step(
        "RUN /bin/sh -c set -eux; apt-get update; apt-get install -y --no-install-recommends ca-certificates "
        "netbase tzdata; rm -rf /var/lib/apt/lists/* # buildkit",
        900 * KIB,
    ),
    Step("WORKDIR /srv/shop", 93),
    Step("COPY requirements.txt . # buildkit", 1 * KIB),
    Step("RUN /bin/sh -c pip install --no-cache-dir -r requirements.txt # buildkit", 1400 * KIB),
    Step("COPY src ./src # buildkit", 220 * KIB),
    Step("USER 10001:10001"),
    Step("EXPOSE map[8080/tcp:{}]"),
    Step('ENTRYPOINT ["python" "-m" "shop"]'),
    Step('CMD ["--listen" "0.0.0.0:8080"]'),
)
"""A web service as its Dockerfile makes it."""


def content(name: str, size: int) -> bytes:
    """Return bytes that the name decides, as incompressible as a layer is."""
    return random.Random(name).randbytes(size)


def image(
    repository: Repository,
    *tags: str,
    version: str,
    architecture: str = "amd64",
    variant: str = "",
    steps: Sequence[Step] = SHOP,
    created: str = "2026-11-24T09:30:00Z",
    **more: object,
) -> Json:
    """Push an image for one platform. Layers before the last are those of every version."""
    sized = [step for step in steps if step.size]
    own = sized[-1]
    layers = [
        repository.blob(LAYER, content(f"{architecture} {step.command} {version if step is own else ''}", step.size))
        for step in sized
    ]
    config = {
        "architecture": architecture,
        **({"variant": variant} if variant else {}),
        "os": "linux",
        "created": created,
        "author": "Shop team <shop@example.com>",
        "config": {
            "User": "10001:10001",
            "Env": [
                "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LANG=C.UTF-8",
                f"SHOP_VERSION={version}",
            ],
            "Entrypoint": ["python", "-m", "shop"],
            "Cmd": ["--listen", "0.0.0.0:8080"],
            "WorkingDir": "/srv/shop",
            "ExposedPorts": {"8080/tcp": {}},
            "Volumes": {"/srv/shop/uploads": {}},
            "Labels": labels(version, created),
        },
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        "history": [
            {"created": created, "created_by": step.command, "comment": "buildkit.dockerfile.v0"}
            | ({} if step.size else {"empty_layer": True})
            for step in steps
        ],
    }
    described = repository.blob(CONFIG, json.dumps(config).encode())
    return repository.image(*tags, config=described, layers=layers, **more)


def labels(version: str, created: str) -> dict[str, str]:
    """Return the labels that build tools set."""
    return {
        "org.opencontainers.image.title": "shop",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.revision": "9f1c0c6e0e1b1f6f5a1d8f9c0a7b6c5d4e3f2a1b",
        "org.opencontainers.image.source": "https://git.example.com/shop/web",
        "org.opencontainers.image.licenses": "Apache-2.0",
    }


def multi_platform(repository: Repository, *tags: str, version: str, created: str) -> Json:
    """Push an index of three platforms with BuildKit's attestations, and return its descriptor."""
    children = []
    for architecture, variant in (("amd64", ""), ("arm64", ""), ("arm", "v7")):
        platform = {"os": "linux", "architecture": architecture} | ({"variant": variant} if variant else {})
        built = image(repository, version=version, architecture=architecture, variant=variant, created=created)
        children.append(built | {"platform": platform})
    attestations = [
        attestation(repository, child)
        | {
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": child["digest"],
            },
        }
        for child in children
    ]
    annotations = {"org.opencontainers.image.version": version, "org.opencontainers.image.created": created}
    return repository.index(*tags, manifests=[*children, *attestations], annotations=annotations)


def attestation(repository: Repository, subject: Json) -> Json:
    """Push what BuildKit adds to an index for one image: its provenance, as a manifest that looks like an image's."""
    statement = provenance(subject)
    layer = repository.blob(IN_TOTO, statement, annotations={"in-toto.io/predicate-type": PROVENANCE_TYPE})
    config = {"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    return repository.image(config=repository.blob(CONFIG, json.dumps(config).encode()), layers=[layer])


PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"


def provenance(subject: Json) -> bytes:
    """Return an in-toto statement about how the subject was built."""
    algorithm, encoded = subject["digest"].split(":")
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "shop", "digest": {algorithm: encoded}}],
        "predicateType": PROVENANCE_TYPE,
        "predicate": {
            "buildDefinition": {"buildType": "https://mobyproject.org/buildkit@v1", "externalParameters": {}},
            "runDetails": {"builder": {"id": "https://ci.example.com/runners/7"}},
        },
    }
    return json.dumps(statement).encode()


def referrers(repository: Repository, subject: Json) -> None:
    """Push what signers and scanners leave beside an image."""
    named = {name: subject[name] for name in ("mediaType", "digest", "size")}
    signed = json.dumps({"critical": {"image": {"docker-manifest-digest": subject["digest"]}}}).encode()
    signature = base64.b64encode(content("signature", 71)).decode()
    described = repository.blob(SIMPLE_SIGNING, signed, annotations={"dev.cosignproject.cosign/signature": signature})
    tag = subject["digest"].replace(":", "-") + ".sig"
    repository.image(tag, config=repository.blob(CONFIG, b"{}"), layers=[described])
    _refer(repository, named, COSIGN_SIGNATURE, [described])
    bundle = json.dumps({"mediaType": SIGSTORE_BUNDLE, "messageSignature": {"signature": signature}}).encode()
    _refer(repository, named, SIGSTORE_BUNDLE, [repository.blob(SIGSTORE_BUNDLE, bundle)])
    envelope = json.dumps({"payload": "e30", "protected": "e30", "signature": signature}).encode()
    thumbprints = {"io.cncf.notary.x509chain.thumbprint#S256": '["3f2a1b9c"]'}
    _refer(repository, named, NOTATION_SIGNATURE, [repository.blob(JWS, envelope)], annotations=thumbprints)
    _refer(repository, named, SPDX, [repository.blob(SPDX, spdx())])
    _refer(repository, named, CYCLONEDX, [repository.blob(CYCLONEDX, cyclonedx())])
    _refer(repository, named, IN_TOTO, [repository.blob(IN_TOTO, provenance(subject))])


def _refer(repository: Repository, subject: Json, kind: str, layers: list[Json], **more: object) -> None:
    repository.image(config=repository.empty(), layers=layers, artifactType=kind, subject=subject, **more)


PACKAGES = ("bash 5.2.15", "ca-certificates 20230311", "libssl3 3.0.17", "python3 3.13.1", "zlib1g 1.2.13")


def spdx() -> bytes:
    """Return an SBOM of a few packages."""
    packages = [{"name": name, "versionInfo": version} for name, version in map(str.split, PACKAGES)]
    return json.dumps({"spdxVersion": "SPDX-2.3", "name": "shop", "packages": packages}).encode()


def cyclonedx() -> bytes:
    """Return the same in the other format."""
    components = [{"type": "library", "name": name, "version": version} for name, version in map(str.split, PACKAGES)]
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}).encode()


def chart(repository: Repository, version: str) -> Json:
    """Push a Helm chart, as `helm push` does."""
    name = repository.name.rpartition("/")[2]
    about = {
        "name": name,
        "version": version,
        "apiVersion": "v2",
        "description": "Runs the shop",
        "type": "application",
    }
    config = repository.blob(CHART_CONFIG, json.dumps(about).encode())
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path, text in (("Chart.yaml", json.dumps(about)), ("values.yaml", "replicas: 2\n")):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    annotations = {
        f"org.opencontainers.image.{key}": about[of]
        for key, of in (("title", "name"), ("version", "version"), ("description", "description"))
    }
    layer = repository.blob(CHART, archive.getvalue())
    return repository.image(version, config=config, layers=[layer], annotations=annotations)


def module(repository: Repository, tag: str) -> Json:
    """Push a WebAssembly module."""
    layer = repository.blob(WASM, b"\0asm\1\0\0\0" + content(f"module {tag}", 48 * KIB))
    about = {"architecture": "wasm", "os": "wasip2", "layerDigests": [layer["digest"]], "component": {"exports": []}}
    return repository.image(tag, config=repository.blob(WASM_CONFIG, json.dumps(about).encode()), layers=[layer])


def files(repository: Repository, tag: str) -> Json:
    """Push files, as `oras push` does."""
    layers = [
        repository.blob("text/markdown", b"# Runbook\n\nRestart the shop.\n", annotations=titled("runbook.md")),
        repository.blob("application/octet-stream", content("model", 64 * KIB), annotations=titled("prices.model")),
    ]
    return repository.image(
        tag, config=repository.blob(EMPTY, b"{}"), layers=layers, artifactType="application/vnd.example.runbook"
    )


def titled(name: str) -> dict[str, str]:
    """Return the annotation that names a file."""
    return {"org.opencontainers.image.title": name}
