"""The headers that describe a file.

What was uploaded is taken for hostile. The content type comes from the stored name and never from
the content; only types that cannot run are shown in the browser, the others are saved to disk.
"""

import re
from base64 import b64encode
from datetime import UTC, datetime
from email.utils import format_datetime
from unicodedata import combining, normalize
from urllib.parse import quote

from .catalogue import Entry

# By the last suffix, so that a compressed file is what it is, and no Content-Encoding. Neither HTML
# nor SVG nor XML: each of these can carry a script. Not `mimetypes`: it reads the machine's tables.
SHOWN = {
    **dict.fromkeys([".txt", ".text", ".log"], "text/plain; charset=utf-8"),
    ".pdf": "application/pdf",
    ".apng": "image/apng",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".ico": "image/vnd.microsoft.icon",
    **dict.fromkeys([".jpg", ".jpeg", ".jpe", ".jfif"], "image/jpeg"),
    ".png": "image/png",
    **dict.fromkeys([".tif", ".tiff"], "image/tiff"),
    ".webp": "image/webp",
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    **dict.fromkeys([".oga", ".ogg", ".opus"], "audio/ogg"),
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    **dict.fromkeys([".mp4", ".m4v"], "video/mp4"),
    ".mov": "video/quicktime",
    ".ogv": "video/ogg",
    ".webm": "video/webm",
}

# A cache may keep it, for one user, and asks each time whether it still holds.
CACHE_CONTROL = "private, no-cache"

# No script runs, and nothing else is loaded, also where a browser takes the content for a page.
POLICY = "default-src 'none'; frame-ancestors 'self'; sandbox"
# Around audio and video a browser makes a page of its own, which asks for the file once more, as
# what is of this site; still without script.
MEDIA_POLICY = f"{POLICY} allow-same-origin; media-src 'self'"

# Neither a control character, nor what RFC 6266, appendix D, advises against, nor a path.
_NOT_PLAIN = re.compile(r'[^ -~]|["%/\\]')


def describe(
    entry: Entry,
    as_attachment: bool | None = None,
    download_name: str | None = None,
    cache_control: str = CACHE_CONTROL,
) -> dict[str, str]:
    """Return the headers that describe a file, whatever part of it is sent.

    Arguments: `as_attachment`, whether the browser is told to save the file (None: unless its type
    cannot run); what can run is always saved. `download_name`, the name that it is saved under
    (None: the original name). `cache_control`, who may keep it and for how long.
    """
    shown = SHOWN.get("." + entry.name.rpartition(".")[2].lower())
    is_media = shown is not None and shown.startswith(("audio/", "video/"))
    digest = {}
    if entry.sha256 is not None:  # RFC 9530, section 3.
        sha256 = b64encode(bytes.fromhex(entry.sha256)).decode()
        digest = {"Repr-Digest": f"sha-256=:{sha256}:"}
    # By this clock: what the database has may lie ahead of it (RFC 9110, section 8.8.2.1).
    modified = min(entry.modified_at, datetime.now(UTC)).astimezone(UTC)
    return {
        "Content-Type": shown or "application/octet-stream",
        "Content-Disposition": _disposition(
            "attachment" if as_attachment or shown is None else "inline",
            download_name or entry.original_name or entry.name,
        ),
        **digest,
        "Accept-Ranges": "bytes",
        "ETag": etag(entry),
        "Last-Modified": format_datetime(modified, usegmt=True),
        "Cache-Control": cache_control,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": MEDIA_POLICY if is_media else POLICY,
    }


def without_content(described: dict[str, str]) -> dict[str, str]:
    """Return the headers of a refusal: it has no content, and speaks of the file all the same."""
    of_content = {"Content-Type", "Content-Disposition", "Repr-Digest"}
    return {name: value for name, value in described.items() if name not in of_content}


def etag(entry: Entry) -> str:
    """Return the strong validator, which survives dump and restore (RFC 9110, section 8.8.3)."""
    # After a restore into a new cluster a number may be given again, but not at the same time.
    modified = entry.modified_at.astimezone(UTC).strftime("%Y%m%d%H%M%S%f")
    return f'"{entry.loid}-{entry.version}-{modified}"'


def _disposition(kind: str, filename: str) -> str:
    """Return the Content-Disposition header (RFC 6266; other names as in RFC 8187).

    Beside `filename*` stands, first, as RFC 6266, appendix D, advises, a `filename` like it in
    ASCII: curl's -J knows no other, and would take the last part of the address.
    """
    letters = "".join(c for c in normalize("NFKD", filename) if not combining(c))
    plain = f'{kind}; filename="{_NOT_PLAIN.sub("_", letters)}"'
    if _NOT_PLAIN.search(filename) is None:
        return plain
    return f"{plain}; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
