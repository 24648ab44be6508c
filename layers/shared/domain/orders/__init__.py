"""What was bought: one payment, its lines, the money of each."""
