"""Handwritten digits: a convolutional network in Keras."""
