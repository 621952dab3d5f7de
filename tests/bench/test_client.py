import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.client import PIECE, connect
from bench.generators import LoadFailed

SESSION = "/v2/r/blobs/uploads/1?state=2"


@pytest.fixture
def server():
    """A server that accepts uploads and records requests; a PUT with the digest `wrong` is refused."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_upload(self):
            requests.append((self.command, self.path, dict(self.headers), self.chunks() or self.rest()))
            wrong = self.path.endswith("wrong")
            self.send_response(400 if wrong else {"PUT": 201}.get(self.command, 202))
            self.send_header("Location", SESSION)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def __getattr__(self, name):
            if name in {"do_POST", "do_PATCH", "do_PUT"}:
                return self.handle_upload
            raise AttributeError(name)

        def rest(self):
            return [self.rfile.read(int(self.headers.get("Content-Length", 0)))]

        def chunks(self):
            found = []
            while self.headers.get("Transfer-Encoding") == "chunked":
                size = int(self.rfile.readline(), 16)
                content = self.rfile.read(size)
                assert self.rfile.readline() == b"\r\n"
                if not size:
                    break
                found.append(content)
            return found

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"127.0.0.1:{listening.server_port}", requests
        listening.shutdown()
        thread.join()


def test_docker_sends_one_patch_in_chunks_without_a_length_and_an_empty_put(server):
    address, requests = server
    content = memoryview(bytes(range(256)) * 300)

    with connect(address, {"Authorization": "Basic x"}) as client:
        seconds = client.push_as_docker("r", content, "sha256:abc")

    (post, patch, put) = requests
    assert seconds > 0
    assert post[:2] == ("POST", "/v2/r/blobs/uploads/")
    assert patch[:2] == ("PATCH", SESSION)
    assert patch[2].keys() & {"Content-Length", "Content-Range"} == set()
    assert [len(chunk) for chunk in patch[3]] == [PIECE, PIECE, len(content) - 2 * PIECE]
    assert b"".join(patch[3]) == content
    assert put[:2] == ("PUT", f"{SESSION}&digest=sha256:abc")
    assert (put[2]["Content-Length"], put[3]) == ("0", [b""])
    assert all(headers["Authorization"] == "Basic x" for _, _, headers, _ in requests)


def test_a_refused_push_raises(server):
    address, _ = server

    with connect(address, {}) as client, pytest.raises(LoadFailed, match="400"):
        client.push_as_docker("r", memoryview(b"abc"), "wrong")
