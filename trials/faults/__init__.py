"""The running site, and everything that can fail below it, around it and in front of it."""
