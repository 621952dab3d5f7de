"""The paths in answers. All are relative, so they are valid behind any proxy, port and host name."""

from urllib.parse import quote, urlencode

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import Reference, RepositoryName


def blob_url(repository: RepositoryName, digest: Digest) -> str:
    """Return the path of a blob."""
    return f"/v2/{repository}/blobs/{digest}"


def manifest_url(repository: RepositoryName, reference: Reference) -> str:
    """Return the path of a manifest."""
    return f"/v2/{repository}/manifests/{reference}"


def upload_url(repository: RepositoryName, session: str) -> str:
    """Return the path of an upload session."""
    return f"/v2/{repository}/blobs/uploads/{session}"


def next_page_link(path: str, fields: dict[str, str]) -> str:
    """Return the value of a `Link` header that points at the next page (RFC 8288)."""
    return f'<{quote(path)}?{urlencode(fields)}>; rel="next"'
