"""Booked sessions and their life."""
