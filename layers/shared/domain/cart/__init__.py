"""What one visitor is about to book. Every item holds its time for fifteen minutes."""
