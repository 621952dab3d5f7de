"""Kills and power cuts under load: everything acknowledged is there afterwards."""
