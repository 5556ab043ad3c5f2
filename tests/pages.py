"""The pages that a reader sees, and the code blocks on them."""

from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ["README.md", "CONTRIBUTING.md", "lo_storage/README.md"]),
    *sorted((ROOT / "docs").glob("*.md")),
]


class Block(NamedTuple):
    kind: str  # what stands after the three backticks
    content: str
    words: str  # the paragraph before it
    line: int  # where the content begins, from 0


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    words, found = "", []
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "inline":
            words = token.content
        elif token.type in ("fence", "code_block"):
            found.append(Block(token.info, token.content, words, token.map[0] + 1))
    return found
