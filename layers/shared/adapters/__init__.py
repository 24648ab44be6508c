"""The outside world: configuration, PostgreSQL, Stripe, SQS, Make.com, and the HTTP edge."""
