"""Periodic background work. A round that fails is logged, and the next one still runs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

logger = logging.getLogger("simple_registry")


async def repeat(work: Callable[[], Awaitable[None]], interval: float, what: str, *, at_once: bool = False) -> NoReturn:
    """Do `work` every `interval` seconds until cancelled; a repeated failure is logged once."""
    known: str | None = None
    pause = 0.0 if at_once else interval
    while True:
        await asyncio.sleep(pause)
        pause = interval
        try:
            await work()
            known = None
        except Exception as error:
            if known != repr(error):
                logger.exception("%s failed; the next round tries again", what)
            known = repr(error)
