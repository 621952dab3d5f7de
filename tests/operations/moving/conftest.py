"""Shared by the tests of moving."""

from support.moving import tally

__all__ = ["tally"]
