"""What is there: how many files, how large, of which kind, whose, and how they grow.

The command `lo_stats` prints it, and a page of the admin shows it. Nothing else imports from here.
"""
