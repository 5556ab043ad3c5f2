"""What an operator does with all files at once: functions that return or yield what they did.

The commands `lo_*` print it. What stores and serves files imports nothing from here.
"""
