"""The Docker Engine: found and used as it is, or else installed, started and stopped by us."""
