"""Compares the speed of registries, in one run on one machine: `make bench` (README.md).

subjects ──loading──► every subject holds the same data
workloads, in rounds ──rounds──► samples ──results──► medians, ratios, goals ──tables──► Markdown
"""
