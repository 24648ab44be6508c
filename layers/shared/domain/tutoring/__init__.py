"""The first product: sessions with a tutor, and what selling one means."""
