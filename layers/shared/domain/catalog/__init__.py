"""Courses and the tutors who teach them."""
