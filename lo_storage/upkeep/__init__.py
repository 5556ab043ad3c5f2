"""All files at once: which columns name them, and what an operator does with them.

Functions return or yield what they found or did, and the commands `lo_*` print it. Nothing that
stores or serves a file imports from here.
"""
