"""The processes of a running registry: one parent that supervises, and workers that serve."""
