"""A school that lives for days on a simulated clock, its processes dying at random."""
