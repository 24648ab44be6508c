"""Facts told to Make.com: what they say, how they wait, how they leave. It is told; it asks nobody."""
