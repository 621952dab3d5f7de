"""One document of each kind with every field, of which tests change one at a time."""

import copy
from pathlib import Path

import yaml

from simple_registry.config.shapes import Fields, ListOf

EVERYTHING = """
kind: User
metadata: {name: alice, labels: {team: a}, annotations: {note: b}}
spec:
  passwordHash: $2b$12$ibNQSO1AOGCdBgD.1Lz6jOEwvPFiM/UttzOVJtManJJZhCeQRZkjS
  groups: [team]
---
kind: Role
metadata: {name: push}
spec:
  resources: [manifests, blobs]
  verbs: [pull, push]
---
kind: RoleBinding
metadata: {name: team-push}
spec:
  subjects: [{kind: Group, name: team, apiGroup: rbac.authorization.k8s.io}]
  roleRef: {name: push, kind: Role, apiGroup: rbac.authorization.k8s.io}
  scopes: ["^team/.+$"]
---
kind: Token
metadata: {name: deploy}
spec:
  username: alice
  expiresAt: "2031-01-31T12:00:00Z"
  valueHash: abababababababababababababababababababababababababababababababab
  scopes: ["repository:^team/:pull", "registry:catalog:*"]
---
kind: Quota
metadata: {name: team}
spec:
  limits: {bytes: 20GB, tags: 100, manifests: 1000}
  per: all
  scopes: ["^team/"]
  subjects: [{kind: Group, name: team, apiGroup: rbac.authorization.k8s.io}]
  warnAt: 90%
---
kind: TokenIssuer
metadata: {name: ci}
spec:
  issuer: https://ci.example
  audience: [registry.example]
  keys: {jwksURL: https://ci.example/keys}
  algorithms: [ES256]
  userClaim: sub
  userPrefix: "ci:"
  groupsClaim: groups
  conditions: {owner: team}
  bindings: [{roleRef: {name: push, kind: Role, apiGroup: rbac.authorization.k8s.io}, scopes: ["^{owner}/"]}]
---
kind: Retention
metadata: {name: builds}
spec:
  scopes: ["^team/.+:"]
  keep:
    - {newest: 5, by: pull, pushedWithin: 30d, pulledWithin: 30d, tags: ["^v"], semver: ">=1.2 <3"}
  protect: ["^latest$"]
  interval: 24h
---
kind: TagProtection
metadata: {name: releases}
spec:
  scopes: ["^team/.+:v"]
  immutable: true
  deletable: false
  except: [{kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}]
---
kind: Configuration
metadata: {name: main}
spec:
  dataDir: data
  web:
    addr: 127.0.0.1:5000
    certfile: c.pem
    keyfile: k.pem
    externalURL: https://registry.example
    tokenSecret: 0123456789abcdef0123456789abcdef
    tokenTimeout: 300
    challenge: auto
    trustedProxies: [10.0.0.0/8]
    ui: false
  manifests: {allowMissing: none, deleteReferenced: refuse}
  storage: {readOnly: false, snapshots: 3, snapshotInterval: 24h}
  limits:
    {headerTimeout: 30s, idleTimeout: 130s, handshakeTimeout: 10s, bodyTimeout: 60, minRate: 1KiB, manifestSize: 4MiB,
     sessionLife: 24h, sessions: 5, sessionsPerIdentity: 5, tagsPerPush: 5,
     drainSize: 1000, drainTimeout: 30s}
  garbageCollection:
    {interval: 10m, grace: 1h, deleteUntagged: true, untaggedOlderThan: 1h, keepUntagged: ["^cache/"], minFree: 5GB,
      window: "02:00-05:00", rateFiles: 100, rateBytes: 50MB}
  journal: {keep: 30d, maxEvents: 1000}
  scrub: {period: 30d, rate: 20MiB}
  log: {level: info, format: auto, audit: "-"}
  metrics: {addr: "127.0.0.1:9000"}
"""


class _Loader(yaml.SafeLoader):
    """Reads times as text, as editors and our readers do."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def documents_of(text):
    """Return the documents of some YAML as plain values."""
    return [document for document in yaml.load_all(text, Loader=_Loader) if document]


def full_documents():
    """Return the full documents, by kind."""
    return {document["kind"]: document for document in documents_of(EVERYTHING)}


def write(directory: Path, documents):
    """Write documents into a directory that can be loaded."""
    (directory / "rules.yaml").write_text(yaml.safe_dump_all(documents))
    return directory


def mappings(mapping, prefix=""):
    """Yield a mapping and those inside it, with the prefixes of their fields' paths: `subjects[].`."""
    yield prefix, mapping
    for field in mapping.fields:
        match field.shape:
            case Fields() as inner:
                yield from mappings(inner, f"{prefix}{field.name}.")
            case ListOf(inner=Fields() as inner):
                yield from mappings(inner, f"{prefix}{field.name}[].")


def at(spec, prefix):
    """Return the mapping whose fields have this prefix: `bindings[].roleRef.`."""
    for step in prefix.removesuffix(".").split(".") if prefix else ():
        spec = spec[step.removesuffix("[]")]
        spec = spec[0] if step.endswith("[]") else spec
    return spec


def changed(kind, prefix, change):
    """Return all full documents, after `change` was made to one mapping of the one of a kind."""
    documents = copy.deepcopy(full_documents())
    change(at(documents[kind]["spec"], prefix))
    return documents
