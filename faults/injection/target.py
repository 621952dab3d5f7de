"""The server whose calls fail: started, traced by the roles of its threads, killed and restarted."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from faults import strace
from faults.injection.shots import FAULTS, Shot, roles
from faults.order.operations import Client, content, manifest, push_blob, push_in_chunks, put_manifest
from harness.subjects import Running, Subject, running, wait_until_ready

TRACED = ",".join(sorted({*f"{strace.WRITING},{strace.SYNCING},{strace.NAMING}".split(","), *FAULTS}))
ANY = "all"
"""The one role of all threads, for servers without a thread for each kind of work."""
GONE_SECONDS = 0.5
REPLACED_SECONDS = 10.0


class Target:
    """One subject over one folder."""

    def __init__(self, subject: Subject, folder: Path, *, by_role: bool) -> None:
        """Start it. `by_role`: each of its threads does one kind of work, so shots can be aimed at one thread."""
        self._subject = subject
        self._folder = folder
        self._by_role = by_role
        self._trace = folder / "trace"
        self._warmed = 0
        self._start()

    def _start(self) -> None:
        self._running = running(self._subject, self._folder)
        self.registry: Running = self._running.__enter__()
        self.client = Client(self.registry)
        self._look()

    def restart(self) -> None:
        """Kill all of it and start it again."""
        self.close()
        self._start()

    def close(self) -> None:
        """Kill all of it."""
        self._running.__exit__(None, None, None)

    def alive(self) -> bool:
        """Return whether the serving process is still the same; a killed one can take a moment to end."""
        deadline = time.monotonic() + GONE_SECONDS
        while time.monotonic() < deadline:
            if self.registry.process.poll() is not None or self._serving() != self._process:
                return False
            time.sleep(0.01)
        return True

    def recover(self) -> None:
        """See that it serves again after a shot that killed the process that serves."""
        if self.registry.process.poll() is not None:
            self.restart()
            return
        deadline = time.monotonic() + REPLACED_SECONDS
        while self._serving() == self._process and time.monotonic() < deadline:
            time.sleep(0.01)
        wait_until_ready(self.registry)
        self._look()

    def _serving(self) -> int:
        """Return the process that answers requests: the only child, or the one that was started."""
        return self.registry.processes()[-1]

    def _look(self) -> None:
        """Learn which thread does what, from a push that needs all of them."""
        self._process = self._serving()
        self._warmed += 1
        key = f"warm/{self._warmed}/{self._process}"
        push_blob(self.client, key, content(key))  # threads start with their first work
        with strace.attached(self._process, self._trace, follow=True, traced=TRACED):
            push_in_chunks(self.client, f"{key}/chunks", [content(key, "chunks")])
            put_manifest(self.client, key, "tag", manifest(key))
        self._roles = roles(self.calls(), self.root, self._process)

    @property
    def root(self) -> str:
        return str(self.registry.data)

    @property
    def roles(self) -> Mapping[int, str]:
        """Return what each thread is there for."""
        return self._roles if self._by_role else dict.fromkeys((call.thread for call in self.calls()), ANY)

    @contextmanager
    def traced(self, shot: Shot | None = None) -> Iterator[None]:
        """Trace it, all of it, or just the thread in which a call is to fail."""
        thread = self._process
        if shot is not None and self._by_role:
            thread = next(thread for thread, role in self._roles.items() if role == shot.role)
        follow = shot is None or not self._by_role
        injection = shot.injection if shot else None
        with strace.attached(thread, self._trace, follow=follow, traced=TRACED, injection=injection):
            yield

    def calls(self) -> list[strace.Call]:
        """Return the calls of the last trace."""
        with self._trace.open(errors="replace") as lines:
            return strace.read_trace(lines)
