"""What a request of tus 1.0.0 says (https://tus.io/protocols/resumable-upload), without Django."""

import binascii
import re
from base64 import b64decode

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,termination"
CONTENT_TYPE = "application/offset+octet-stream"

# int() would take "+1", "1_0", and digits of other scripts; more digits than these fit no bigint.
_NUMBER = re.compile(r"[0-9]{1,18}")

_KEY = re.compile(r"[!-+\--~]+")  # ASCII, but no space and no comma

_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


class Malformed(ValueError):
    """A header says what it may not say; the message is a sentence for who wrote the client."""


def number(header: str, value: str | None) -> int:
    """Return the number that a header has."""
    if value is None or not _NUMBER.fullmatch(value):
        raise Malformed(f"{header} must be a whole number of bytes, in digits.")
    return int(value)


def metadata(value: str) -> dict[str, str]:
    """Return the pairs of an Upload-Metadata header, decoded as UTF-8."""
    pairs: dict[str, str] = {}
    for pair in filter(None, map(str.strip, value.split(","))):
        key, _, encoded = pair.partition(" ")
        if not _KEY.fullmatch(key) or key in pairs:
            raise Malformed("Upload-Metadata must be pairs of a key and a value, each key once.")
        try:
            decoded = b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Malformed(f"The value of {key!r} must be UTF-8, in Base64.") from error
        if "\0" in decoded:
            raise Malformed(f"The value of {key!r} must have no NUL.")
        pairs[key] = decoded
    return pairs


def expected_sha256(value: str) -> str | None:
    """Return the SHA-256 of a Repr-Digest header (RFC 9530) in hexadecimal; None: it has none."""
    if "sha-256" not in value:
        return None
    for member in value.split(","):
        if match := _DIGEST.fullmatch(member.strip()):
            return b64decode(match[1]).hex()
    raise Malformed("Repr-Digest must have its sha-256 as 32 bytes in Base64, between colons.")
