"""Matching CPU and CUDA images for SageMaker from one recipe."""
