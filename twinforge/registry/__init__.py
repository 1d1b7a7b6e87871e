"""Where images go: registries of any kind, ECR, and the record of what was released."""
