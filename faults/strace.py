"""Runs strace and reads its output: the system calls of all threads, in their order.

A call is two steps, its entry and its return, numbered by their lines in the trace; other calls can lie between them.
strace stops a thread at both, so an action that follows the return of another thread's call is later in the
trace too.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WRITING = (
    "write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range,splice,fallocate,ftruncate,truncate,mmap,"
    "io_uring_enter"
)
SYNCING = "fsync,fdatasync,syncfs,sync,msync,sync_file_range"
NAMING = (
    "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,"
    "mkdir,mkdirat,rmdir"
)
ANSWERING = "sendto,sendmsg"
OPTIONS = ("-f", "-yy", "-ttt", "-s", "32")
"""All threads and processes, what descriptors are open on, times, and enough of an answer to know it by."""

_LINE = re.compile(r"(?:(?P<thread>\d+) +)?(?P<time>\d+\.\d+) (?P<text>.*)")
_WHOLE = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>\S+)(?P<rest>.*)")
_BEGUN = re.compile(r"(?P<name>\w+)\((?P<arguments>.*) ?<unfinished \.\.\.>")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(?P<arguments>.*)\) += (?P<result>\S+)(?P<rest>.*)")
_ARGUMENT = re.compile(r'(?:"(?:[^"\\]|\\.)*"(?:\.\.\.)?|<(?:->|[^>])*>|\[[^\]]*\]|\{[^}]*\}|[^,"<\[{])+')
_OPEN_ON = re.compile(r"(?:-?\d+|AT_FDCWD)<(?P<what>(?:->|[^>])*)>(?P<gone>\(deleted\))?")
_ERROR = re.compile(r" (?P<error>E[A-Z0-9]+) ")


@dataclass(slots=True)
class Call:
    """One system call. `entered` and `left` are steps; `left` is `None` when it never returned."""

    thread: int
    name: str
    arguments: str
    entered: int
    time: float
    left: int | None = None
    result: str = "?"
    error: str | None = None
    injected: bool = False

    @property
    def succeeded(self) -> bool:
        return self.left is not None and self.error is None and not self.result.startswith(("-1", "?"))

    def split(self) -> list[str]:
        """Return its arguments as strace writes them."""
        return [argument.strip() for argument in _ARGUMENT.findall(self.arguments)]

    def __str__(self) -> str:
        outcome = "".join([self.error or self.result, " (injected)" if self.injected else ""])
        return f"{self.name}({self.arguments[:200]}) = {outcome}"


def open_on(argument: str) -> str:
    """Return what a descriptor is open on: a path, `TCP:[…]`, or nothing if it has no name or is not a descriptor."""
    match = _OPEN_ON.match(argument)
    return match["what"] if match and not match["gone"] else ""


def text(argument: str) -> str:
    """Return a string argument; paths of tests hold nothing that strace would escape."""
    return argument[1 : argument.rindex('"')] if argument.startswith('"') else ""


def read_trace(lines: Iterable[str]) -> list[Call]:
    """Return the calls of a trace, in order of their entries. A trace of a single thread does not say its number."""
    calls: list[Call] = []
    unfinished: dict[int, Call] = {}
    for step, line in enumerate(lines):
        parts = _LINE.match(line)
        if parts is None:
            continue  # cut off when the tracer was killed
        thread, content = int(parts["thread"] or 0), parts["text"]
        if match := _RESUMED.match(content):
            call = unfinished.pop(thread, None)
            if call is not None:
                call.arguments += match["arguments"]
                _finish(call, step, match)
        elif match := _BEGUN.match(content):
            call = Call(thread, match["name"], match["arguments"], step, float(parts["time"]))
            unfinished[thread] = call
            calls.append(call)
        elif match := _WHOLE.match(content):
            call = Call(thread, match["name"], match["arguments"], step, float(parts["time"]))
            _finish(call, step, match)
            calls.append(call)
    return calls


def _finish(call: Call, step: int, match: re.Match[str]) -> None:
    call.left = step
    call.result = match["result"]
    error = _ERROR.match(match["rest"]) if call.result.startswith("-1") else None
    call.error = error["error"] if error else None
    call.injected = "(INJECTED" in match["rest"]


def steps(calls: Iterable[Call]) -> Iterator[tuple[int, Call, bool]]:
    """Return entries and returns in order: the step, the call, and whether it is the return."""
    found = [(call.entered, False, index, call) for index, call in enumerate(calls)]
    found += [(call.left, True, index, call) for _, _, index, call in found if call.left is not None]
    for step, returned, _, call in sorted(found, key=lambda each: each[:3]):
        yield step, call, returned


def command(trace: Path, traced: str = f"{WRITING},{SYNCING},{NAMING},{ANSWERING}") -> Sequence[str]:
    """Return the prefix of a command that traces it; untraced calls cost nothing."""
    return ["strace", *OPTIONS, "--seccomp-bpf", "-o", str(trace), "-e", f"trace={traced}"]


def why_not() -> str | None:
    """Return what is missing to trace processes here, or `None`."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    trial = ["strace", "-f", "--seccomp-bpf", "-o", os.devnull, "true"]
    tried = subprocess.run(trial, capture_output=True, text=True, timeout=30, check=False)
    return None if tried.returncode == 0 else f"strace cannot trace here: {tried.stderr.strip()[:200]}"


@contextmanager
def attached(thread: int, trace: Path, *, follow: bool, traced: str, injection: str | None = None) -> Iterator[None]:
    """Trace a running thread (and, to `follow`, all of its process) for the length of the block.

    Raises:
        CannotTrace: strace did not attach.
    """
    options = [*OPTIONS[1:], "-o", str(trace), "-e", f"trace={traced}", *(["-e", injection] if injection else [])]
    arguments = ["strace", *(["-f"] if follow else []), *options, "-p", str(thread)]
    tracer = subprocess.Popen(arguments, stderr=subprocess.PIPE)
    assert tracer.stderr is not None
    said = b""
    try:
        while b" attached" not in said:  # after complaints about threads that ended meanwhile
            line = tracer.stderr.readline()
            if not line:
                raise CannotTrace(said.decode(errors="replace").strip())
            said += line
        yield
    finally:
        tracer.send_signal(signal.SIGINT)  # lets go of the thread
        try:
            tracer.wait(10)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.wait()
        tracer.stderr.close()


class CannotTrace(AssertionError):
    """The message is what strace said."""
