"""Tests with many concurrent clients and with large blobs; they take minutes: `make slow`."""
