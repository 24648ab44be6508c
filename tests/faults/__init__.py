"""What happens to a system in use when PostgreSQL fails it, over and over: `make faults`, and the checks it makes."""
