"""A registry under mixed load, misuse, reloads and kills of workers for minutes."""
