"""Handwritten digits: trained with scikit-learn, served by ONNX Runtime."""
