"""Tests of what many clients at once, and large blobs, cost. Minutes long: `make slow`."""
