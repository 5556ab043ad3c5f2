"""Transactions that change rows and files at once, in every order of their steps."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()
