"""Checks a registry through its public address, as the programs that people use would reach it."""
