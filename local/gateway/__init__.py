"""An HTTP API of API Gateway, payload format 2.0, in front of the functions of a template."""
