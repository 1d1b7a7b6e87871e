"""Handwritten digits: a small network in PyTorch."""
