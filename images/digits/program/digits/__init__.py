"""Handwritten digits, gradient-boosted trees: what `train` and `serve` share."""
