"""Card payments: what the payment service says, and money that goes back. Knows nothing of what was sold."""
