import re
import sys

name, slug = """{{ cookiecutter.project_name }}""", """{{ cookiecutter.project_slug }}"""
if not re.fullmatch(r"[^{}<>&\"\\\n]+", name):
    sys.exit(f"project_name: no braces, angle brackets, ampersands, quotes or backslashes: {name}")
if not re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", slug):
    sys.exit(f"project_slug: small letters, digits and hyphens, a letter first: {slug}")
