"""`fsck`: checks a store, and repairs what can be repaired; `run` has the order of its steps."""
