"""From flags, environment and files to one immutable value, `Settings`."""
