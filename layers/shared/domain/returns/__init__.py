"""Money that goes back, line by line: whatever the way, never more than the line was paid (decision 18)."""
