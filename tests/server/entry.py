"""The command line with a small application in place of the registry, for tests of processes."""

import asyncio
import os
import sys
import time
import types
from functools import partial
from pathlib import Path

import simple_registry.backends
from simple_registry.faults import StorageFault
from simple_registry.http.messages import Response
from simple_registry.wire.exchange import Client


class Application:
    def __init__(self, configured, worker, processes, logins):
        settings = configured.settings
        self._directory = settings.data_dir
        self._worker = worker
        self._users = configured.documents.value.rules.users
        self._sessions = settings.limits.sessions

    async def start(self):
        if (self._directory / "refuse").exists():
            raise StorageFault("open the database", "the test says no")
        if (self._directory / "crash").exists():
            raise RuntimeError("the test says crash")

    async def stop(self):
        (self._directory / f"stopped-{os.getpid()}").touch()

    async def metrics(self):
        return f"worker_pid {os.getpid()}\n".encode()

    def follow_certificate(self, ends, warning):
        (self._directory / "certificate-ends").write_text(str(ends()))

    @property
    def http(self):
        return self

    def find_client(self, peer, head):
        return Client(peer, peer)

    def trusts(self, peer):
        return False

    def refuse(self, peer, refused):
        return Response(refused.status, [], refused.reason.encode())

    async def __call__(self, exchange):
        path = exchange.head.path
        if path == "/slow":
            (self._directory / "slow-started").touch()
            await asyncio.sleep(1.0)
        if path == "/forever":
            (self._directory / "forever-started").touch()
            await asyncio.sleep(1000)
        if path == "/hang":
            time.sleep(1000)  # noqa: ASYNC251 (hangs on purpose)
        if path == "/users":
            await exchange.send(Response(200, [("content-type", "text/plain")], ",".join(sorted(self._users)).encode()))
            return
        size = 0
        async for chunk in exchange.body:
            size += len(chunk)
        headers = [("content-type", "text/plain")]
        scheme = "https" if exchange.secure else "http"
        await exchange.send(Response(200, headers, f"{os.getpid()} {self._sessions} {size} {scheme}".encode()))


def claim(directory, *, make_keys, upgrading):
    if directory.name == "foreign":
        raise StorageFault("use the data directory", "it is not ours; choose another with -datadir")
    directory.mkdir(exist_ok=True)
    if "TEST_UPGRADE" in os.environ:
        upgrading()
    return types.SimpleNamespace(report=lambda *_: None)


def replace(package, name, **attributes):
    """Replace a module, which would take long to import, by one with these attributes."""
    module = types.ModuleType(f"{package.__name__}.{name}")
    vars(module).update(attributes)
    sys.modules[module.__name__] = module
    setattr(package, name, module)


replace(simple_registry, "application", build=Application, load_logins=lambda settings: None)
replace(
    simple_registry.backends,
    "local",
    claim=claim,
    replace_file=Path.write_text,
    remove_file=partial(Path.unlink, missing_ok=True),
)

if __name__ == "__main__":
    from simple_registry.cli.main import main
    from simple_registry.server import slots, worker

    slots.UNSERVED_TIME = float(os.environ.get("TEST_UNSERVED", slots.UNSERVED_TIME))
    slots.HANG_TIME = float(os.environ.get("TEST_HANG", slots.HANG_TIME))
    worker.BEAT_INTERVAL = float(os.environ.get("TEST_BEAT", worker.BEAT_INTERVAL))

    sys.exit(main())
