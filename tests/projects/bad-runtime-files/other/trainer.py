"""Learns."""
