"""The verbs, composed from the rooms. Each module holds one group of verbs."""
