"""HTTP for a file (RFC 9110): what the answer is, as values, and how its content is sent."""
