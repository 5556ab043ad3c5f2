"""Files come in from other storages, and go out to them, verified by SHA-256.

Functions yield what they moved and what they could not move, and the commands `lo_import` and
`lo_export` print it. Nothing else imports from here.
"""
