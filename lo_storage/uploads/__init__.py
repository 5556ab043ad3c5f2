"""Uploads that go on where they were cut, staged as large objects until a row takes them.

An app of its own, `lo_storage.uploads`. Nothing else needs it: a project may leave it out, or
delete it.
"""
