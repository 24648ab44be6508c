"""`make webhooks`: a schema, a sample and a page in French per event, for whoever builds the scenarios in Make.com."""
