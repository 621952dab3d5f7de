"""Configurations of other registries, translated into documents."""
