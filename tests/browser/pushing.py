"""Pushes to one repository through the HTTP API, in as few requests as it takes.

app = Repository(registry, "team/app")
config = app.blob(CONFIG, b"{}")
app.image("v1", "latest", config=config, layers=[])   → its descriptor
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from e2e.images import INDEX, MANIFEST, digest_of
from e2e.server import Answer, Registry

EMPTY = "application/vnd.oci.empty.v1+json"
MAX_TAGS = 10
"""Tags of one push (`limits.tagsPerPush`)."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository, and the caller that pushes."""

    registry: Registry
    name: str

    def blob(self, media_type: str, content: bytes, **more: object) -> Json:
        """Push a blob and return its descriptor."""
        digest = digest_of(content)
        path = f"/v2/{self.name}/blobs/uploads/?digest={digest}"
        self._send("POST", path, content, "application/octet-stream", HTTPStatus.CREATED)
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def empty(self) -> Json:
        """Push the empty config of artifacts."""
        return self.blob(EMPTY, b"{}")

    def image(self, *tags: str, config: Json, layers: Sequence[Json], **more: object) -> Json:
        """Push a manifest of one image or artifact."""
        return self.manifest(MANIFEST, {"config": config, "layers": list(layers), **more}, *tags)

    def index(self, *tags: str, manifests: Sequence[Json], **more: object) -> Json:
        """Push an index."""
        return self.manifest(INDEX, {"manifests": list(manifests), **more}, *tags)

    def manifest(self, media_type: str, fields: Json, *tags: str) -> Json:
        """Push a manifest under its digest and the tags, and return its descriptor."""
        content = json.dumps({"schemaVersion": 2, "mediaType": media_type, **fields}, indent=2).encode()
        path = f"/v2/{self.name}/manifests/{digest_of(content)}"
        for start in range(0, max(1, len(tags)), MAX_TAGS):
            some = tags[start : start + MAX_TAGS]
            query = "&".join(f"tag={tag}" for tag in some)
            self._send("PUT", f"{path}?{query}" if query else path, content, media_type, HTTPStatus.CREATED)
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    def upload(self) -> str:
        """Begin an upload and leave it unfinished; return its session."""
        path = f"/v2/{self.name}/blobs/uploads/"
        answer = self._send("POST", path, b"", "application/octet-stream", HTTPStatus.ACCEPTED)
        return answer.headers["location"].partition("?")[0].rpartition("/")[2]

    def delete(self, reference: str) -> None:
        """Delete a tag, or a manifest by its digest."""
        self._send("DELETE", f"/v2/{self.name}/manifests/{reference}", b"", "", HTTPStatus.ACCEPTED)

    def delete_all(self) -> None:
        """Delete the repository."""
        self._send("DELETE", f"/api/v1/repositories/{self.name}", b"", "", HTTPStatus.ACCEPTED)

    def roll_back(self, tag: str, to: str) -> None:
        """Let a tag point at what it pointed at before."""
        path, body = f"/api/v1/repositories/{self.name}/rollback", json.dumps({"tag": tag, "to": to})
        self._send("POST", path, body.encode(), "application/json", HTTPStatus.OK)

    def _send(self, method: str, path: str, body: bytes, media_type: str, expected: HTTPStatus) -> Answer:
        headers = {"Content-Type": media_type} if media_type else {}
        answer = self.registry.request(method, path, body=body, headers=headers)
        if answer.status != expected:
            raise AssertionError(f"{method} {path}: {answer}")
        return answer
