"""Figures of a landscape: graph, barriers, coverage."""
