"""A server of documents on a loopback port, which counts requests and misbehaves on demand."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class DocumentsServer:
    """Answers with `document`, or lets `answer` do what it likes with the request handler."""

    def __init__(self) -> None:
        self.document = b"{}"
        self.answer: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                server.headers.append(dict(self.headers))
                try:
                    (server.answer or server.give)(self)
                except OSError:
                    return

            def log_message(self, *_arguments):
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks"

    def wrap(self, context) -> None:
        """Speak TLS."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def give(self, request) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(self.document)))
        request.end_headers()
        request.wfile.write(self.document)
