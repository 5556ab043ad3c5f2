"""Uploads: how long, how much memory, how many connections; and what is left when all is killed."""
