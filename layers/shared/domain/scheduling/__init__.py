"""The 30-minute grid, what a tutor offers on it, and who owns which minute of a tutor."""
