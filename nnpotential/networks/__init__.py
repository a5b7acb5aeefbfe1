"""Fully connected networks on data: layers, loss, symmetry, data sets, measures."""
