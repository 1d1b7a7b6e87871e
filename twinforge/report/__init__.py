"""What a run shows: progress while it goes on, tables and JSON when it has ended."""
