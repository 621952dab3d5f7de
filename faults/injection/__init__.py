"""System calls that fail or kill, one at a time."""
