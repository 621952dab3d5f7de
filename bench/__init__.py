"""Speed beside other registries, in one run on one machine: `make bench` (README.md).

    subjects ──loading──► every subject holds the same data
    workloads, in rounds ──rounds──► samples ──results──► medians, ratios, goals ──report──► tables

It uses what tests share to start registries (`faults.subjects`, `e2e`), so `tests` must be on the path.
"""
