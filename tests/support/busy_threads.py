"""Runs work while all threads of the default pool are busy."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event


def run_beside_busy_threads(work):
    """Return what `work()` returns, awaited while the one thread of the default pool is taken; it may take no other."""

    async def scenario():
        loop, done = asyncio.get_running_loop(), Event()
        loop.set_default_executor(ThreadPoolExecutor(1))
        taken = loop.run_in_executor(None, done.wait)
        try:
            return await asyncio.wait_for(work(), 5)
        finally:
            done.set()
            await taken

    return asyncio.run(scenario())
