"""The row stores, one module for each kind of row."""
