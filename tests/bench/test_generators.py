import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.generators import Load, LoadFailed, head, parse_replay, parse_wrk

WRK = """\
Running 1s test @ http://127.0.0.1:5000/
  1 threads and 16 connections
  20000 requests in 2.00s, 40.00MB read
Requests/sec:  10000.00
Transfer/sec:     20.00MB
"""


def test_the_rate_is_the_one_of_wrk():
    load = parse_wrk(WRK)

    assert load.rate == 10_000
    assert load.received == 40 * 1024**2


def test_bytes_of_unfinished_transfers_count():
    load = parse_wrk(WRK.replace("20000 requests", "0 requests").replace("10000.00", "0.00"))

    assert load == Load(0, 20 * 1024**2, 1)


@pytest.mark.parametrize(
    "line", ["  Non-2xx or 3xx responses: 1\n", "  Socket errors: connect 0, read 1, write 0, timeout 0\n"]
)
def test_one_bad_answer_fails_the_load(line):
    with pytest.raises(LoadFailed):
        parse_wrk(WRK.replace("Requests/sec", f"{line}Requests/sec"))


def test_empty_output_fails_the_load():
    with pytest.raises(LoadFailed):
        parse_wrk("unable to connect\n")


def test_a_replay_counts_operations():
    assert parse_replay("finished 300 refused 0 exhausted 0 seconds 1.5 \n", exhausted=0).rate == 200


@pytest.mark.parametrize("counts", ["refused 1 exhausted 0", "refused 0 exhausted 1"])
def test_a_refusal_or_a_short_plan_fails_the_replay(counts):
    with pytest.raises(LoadFailed):
        parse_replay(f"finished 300 {counts} seconds 1.5 \n", exhausted=0)


@pytest.fixture
def server():
    """A server that answers HEAD with 200 at `/there` and 404 elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.send_response(200 if self.path == "/there" else 404)
            self.send_header("Content-Length", "1000")
            self.end_headers()

        def handle(self):
            with suppress(ConnectionError):  # the generator closes at the end of its time
                super().handle()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def test_head_is_sent_repeatedly(server):
    load = head(server, "/there", seconds=0.2, connections=2)

    assert load.operations > 2
    assert load.seconds >= 0.2


def test_head_of_a_missing_path_fails_the_load(server):
    with pytest.raises(LoadFailed, match="404"):
        head(server, "/missing", seconds=0.2, connections=2)
