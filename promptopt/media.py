"""Pictures, sounds and files for messages: read, checked by their first bytes, measured by their headers.

No decoder runs: sizes of PNG, JPEG, GIF and WebP, the length of a WAV and the pages of a PDF are in their headers.
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath

from promptopt.call_options import DETAILS
from promptopt.errors import check_argument
from promptopt.files import show_path
from promptopt.messages import Media, MediaKind

MOST_BYTES = 50_000_000
"""The largest file that is read: no provider takes a request with more."""

_SUFFIXES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".aiff": "audio/aiff",
    ".aac": "audio/aac",
    ".m4a": "audio/mp4",
}
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_TEXT_TYPES = {".md": "text/markdown", ".yaml": "text/yaml", ".yml": "text/yaml", ".jsonl": "text/plain"}
# What a file begins with. Some of these are only known to say what a file is instead of what was asked for.
_BEGINNINGS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), media_type)
    for pattern, media_type in (
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"RIFF.{4}WEBP", "image/webp"),
        (rb".{0,1024}?%PDF-", "application/pdf"),
        (rb"RIFF.{4}WAVE", "audio/wav"),
        (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", "audio/mpeg"),
        (rb"\xff[\xf0\xf1\xf8\xf9]", "audio/aac"),
        (rb"fLaC", "audio/flac"),
        (rb"OggS", "audio/ogg"),
        (rb"FORM.{4}AIF[FC]", "audio/aiff"),
        (rb".{4}ftyp(?:heic|heix|mif1|hevc)", "image/heic"),
        (rb".{4}ftypavif", "image/avif"),
        (rb".{4}ftypM4A", "audio/mp4"),
        (rb"II\*\0|MM\0\*", "image/tiff"),
        (rb"BM.{4}\0{4}", "image/bmp"),
        (rb"PK\x03\x04", "application/zip"),
    )
)
_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,(?P<data>[A-Za-z0-9+/=\s_-]*)")


def is_url(text: str) -> bool:
    """Whether a text is the address of something that a provider fetches, or a ``data:`` URL."""
    return re.match(r"https?://\S+\Z|data:[\w.+-]+/[\w.+-]+[;,]", text) is not None


def media_url(text: str) -> Media | None:
    """The picture, sound or PDF of a whole text that is a ``data:`` URL of one; ``None`` for any other text."""
    if not text.startswith(("data:image/", "data:audio/", "data:application/pdf")):
        return None
    try:
        return make_media_of_url(text)
    except ValueError:
        return None


def make_media_of_url(url: str, kind: MediaKind | None = None, detail: str = "", name: str = "") -> Media:
    """What a URL names: an ``https://`` one is fetched by the provider, the bytes of a ``data:`` one are its own.

    Args:
        kind: What it must be; of an address whose path has no known ending, what it is.

    Raises:
        ValueError: It is no such thing, or its bytes are not what it says.
    """
    if not url.startswith("data:"):
        path = PurePosixPath(re.split(r"[?#]", url, maxsplit=1)[0])
        found = _type_of_name(path.name)
        if found is None and kind is None:
            raise ValueError(f"{url!r}: its ending does not say whether it is an image, a sound or a file")
        # A picture of no known ending is sent as one all the same: the provider looks at what it fetches.
        media_type = found or {"image": "image/*", "audio": "audio/*", "file": "application/octet-stream"}[str(kind)]
        _check_kind(media_type, kind, repr(url))
        return Media(_kind_of(media_type), media_type, url=url, name=name or path.name, detail=_detail(detail))
    match = _DATA_URL.fullmatch(url)
    if match is None:
        raise ValueError(f"{url[:40]!r}... is not `data:TYPE;base64,DATA`")
    try:
        data = base64.b64decode(re.sub(r"\s", "", match["data"]).replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as error:
        raise ValueError(f"{url[:40]!r}... is not Base64: {error}") from None
    shown = f"the data URL of type {match['type']}"
    return _checked(data, match["type"], shown, kind, detail, name)


def read_media(path: str | Path, *, kind: MediaKind | None = None, detail: str = "") -> Media:
    """The image, sound or file at a path, for a variable of a prompt that ``{{ photo }}`` then sends as a part.

    Args:
        kind: ``image``, ``audio`` or ``file``: what it must be.
        detail: Of an image: how closely a model looks at it.

    Raises:
        ValueError: It cannot be read, is larger than :data:`MOST_BYTES`, or is not what its name says.
    """
    check_argument(isinstance(path, str | Path), "path", path, "a path")
    check_argument(kind in (None, *_KINDS), "kind", kind, "one of image, audio, file")
    check_argument(isinstance(detail, str), "detail", detail, "a text")
    path = Path(path)
    try:
        status = path.stat()
        return _read(path, kind, detail, (status.st_mtime_ns, status.st_size))
    except OSError as error:
        raise ValueError(f"{show_path(path)} cannot be read: {error.strerror}") from None


@lru_cache(maxsize=64)
def _read(path: Path, kind: MediaKind | None, detail: str, stamp: tuple[int, int]) -> Media:
    """One object for a file that many cases name."""
    check_size(stamp[1], show_path(path))
    return make_media(path.read_bytes(), path.name, kind, detail, shown=show_path(path))


def check_size(size: int, shown: str) -> None:
    """Refuse a file that is too large to send. Raises ValueError."""
    if size > MOST_BYTES:
        raise ValueError(
            f"{shown} has {size / 1e6:,.0f} MB; at most {MOST_BYTES // 10**6} MB are read, as no provider takes more"
        )


def make_media(data: bytes, name: str, kind: MediaKind | None = None, detail: str = "", *, shown: str = "") -> Media:
    """A part of a message from the bytes of a file.

    Args:
        shown: The file as a person would name it; by default its name.

    Raises:
        ValueError: They are not what the name says, or are cut off.
    """
    shown = shown or name
    check_size(len(data), shown)
    named = _type_of_name(name)
    if named is None:
        named = type_of_bytes(data) or ("text/plain" if _is_text(data) else None)
    if named is None:
        raise ValueError(f"{shown}: neither its name nor its first bytes say what it is")
    return _checked(data, named, shown, kind, detail, name)


def is_media_file(name: str, data: bytes) -> bool:
    """Whether a file is a picture, a sound or a PDF, by its name or else by its first bytes, and not a text."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in _SUFFIXES or (
        (found := type_of_bytes(data)) in _SUFFIXES.values() and not (found == "application/pdf" and _is_text(data))
    )


def type_of_bytes(data: bytes) -> str | None:
    """The media type that a file's first bytes say; ``None`` if they say nothing."""
    return next((media_type for pattern, media_type in _BEGINNINGS if pattern.match(data)), None)


def _type_of_name(name: str) -> str | None:
    suffix = PurePosixPath(name).suffix.lower()
    return _SUFFIXES.get(suffix) or _TEXT_TYPES.get(suffix) or mimetypes.guess_type(f"x{suffix}")[0]


def _kind_of(media_type: str) -> MediaKind:
    start = media_type.partition("/")[0]
    return "image" if start == "image" else "audio" if start == "audio" else "file"


def _check_kind(media_type: str, kind: MediaKind | None, shown: str) -> None:
    if kind is not None and kind != "file" and _kind_of(media_type) != kind:
        tag = _kind_of(media_type)
        raise ValueError(f"{shown} is {_named(media_type)}, not {_KINDS[kind]}; {{% {tag} %}} sends it")


def _detail(detail: str) -> str:
    if detail and detail not in DETAILS:
        raise ValueError(f"detail {detail!r} is not one of {', '.join(DETAILS)}")
    return detail


def _checked(data: bytes, named: str, shown: str, kind: MediaKind | None, detail: str, name: str) -> Media:
    named = {"image/jpg": "image/jpeg", "audio/x-wav": "audio/wav", "audio/mp3": "audio/mpeg"}.get(named, named)
    if not data:
        raise ValueError(f"{shown} is empty")
    found = type_of_bytes(data)
    if named in _SUFFIXES.values() and found != named and not (named == "audio/mp4" and data[4:8] == b"ftyp"):
        what = f"is {_named(found)}" if found else f"is {'a text' if _is_text(data) else 'something else'}"
        raise ValueError(f"{shown} {what}, and not {_named(named)} as its name says")
    if named.startswith("text/") and not _is_text(data):
        raise ValueError(f"{shown} is {_named(found) if found else 'not UTF-8'}, and not a text as its name says")
    _check_kind(named, kind, shown)
    # A picture that is sent as a file, such as a scan, is a picture all the same.
    made = _kind_of(named)
    if made == "image":
        if named not in _IMAGES:
            raise ValueError(f"{shown} is {_named(named)}; models take PNG, JPEG, GIF and WebP")
        if picture_size(data) is None:
            raise ValueError(f"{shown} is cut off or broken: its header says no size")
    elif detail:
        raise ValueError(f"{shown} is {_named(named)}; `detail` is of images")
    return Media(made, named, data, name=name, detail=_detail(detail))


_KINDS: dict[str, str] = {"image": "an image", "audio": "a sound", "file": "a file"}
_NAMES = {
    "image/png": "a PNG",
    "image/jpeg": "a JPEG",
    "image/gif": "a GIF",
    "image/webp": "a WebP",
    "image/heic": "an HEIC image",
    "image/avif": "an AVIF image",
    "application/pdf": "a PDF",
    "audio/wav": "a WAV",
    "audio/mpeg": "an MP3",
    "application/zip": "a ZIP archive",
}


def _named(media_type: str | None) -> str:
    return _NAMES.get(media_type or "", f"of type {media_type}")


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG, GIF or WebP, or of its beginning; ``None`` if that does not say it."""
    reader = _SIZES.get(type_of_bytes(data) or "")
    try:
        width, height = reader(data) if reader else (0, 0)
    except (struct.error, IndexError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if data[12:16] == b"IHDR" else (0, 0)


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        # Any number of 0xFF may be before a marker.
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if data[at] != 0xFF or marker in (0xD9, 0xDA):
            return 0, 0
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        # Start of frame, but for the three markers in that range that are something else.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length


def _webp_size(data: bytes) -> tuple[int, int]:
    """By RFC 9649: the canvas of an extended file, else the frame of a lossy or of a lossless one."""
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), (
            1 + int.from_bytes(data[27:30], "little") if len(data) >= 30 else 0
        )
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return (width & 0x3FFF, height & 0x3FFF) if data[23:26] == b"\x9d\x01\x2a" else (0, 0)


_SIZES: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "image/png": _png_size,
    "image/gif": _gif_size,
    "image/jpeg": _jpeg_size,
    "image/webp": _webp_size,
}


def wav_seconds(data: bytes) -> float | None:
    """The length of a WAV by its header; ``None`` of anything else, or if the header does not say it."""
    if type_of_bytes(data) != "audio/wav":
        return None
    at, rate = 12, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"fmt " and at + 20 <= len(data):
            rate = int.from_bytes(data[at + 16 : at + 20], "little")
        elif name == b"data":
            # A program that streams writes no size, or the largest.
            held = len(data) - at - 8
            return min(size or held, held) / rate if rate else None
        at += 8 + size + size % 2
    return None


_PAGES = re.compile(rb"/Type\s*/Pages\b")
_OBJECT_STREAM = re.compile(rb"/ObjStm\b")


@lru_cache(maxsize=32)
def pdf_pages(data: bytes) -> int | None:
    """The pages of a PDF as the root of its page tree counts them, the newest if it was changed.

    Returns:
        ``None`` if that is not found: the file is sealed, broken, or something else.
    """
    if type_of_bytes(data) != "application/pdf" or b"/Encrypt" in data:
        return None
    found = None
    for text in _pdf_texts(data):
        for match in _PAGES.finditer(text):
            body = _dictionary(text, match.start())
            count = re.search(rb"/Count\s+(\d+)", body)
            if count and b"/Parent" not in body:
                found = int(count[1])
    return found or None


def _pdf_texts(data: bytes) -> Iterator[bytes]:
    """The file, and what is packed in its streams of objects."""
    yield data
    for match in _OBJECT_STREAM.finditer(data):
        start = re.compile(rb"stream\r?\n").search(data, match.end(), match.end() + 500)
        if start is None:
            continue
        with suppress(zlib.error):
            # A stream that is made to unpack without end is cut.
            yield zlib.decompressobj().decompress(data[start.end() :], MOST_BYTES)


def _dictionary(text: bytes, at: int) -> bytes:
    """The innermost ``<<...>>`` around a position."""
    depth, start, end = 0, at, at
    for match in reversed(list(re.finditer(rb"<<|>>", text[max(0, at - 20_000) : at]))):
        depth += 1 if match[0] == b">>" else -1
        if depth < 0:
            start = max(0, at - 20_000) + match.start()
            break
    depth = 0
    for match in re.finditer(rb"<<|>>", text[at : at + 1_000_000]):
        depth += 1 if match[0] == b"<<" else -1
        if depth < 0:
            end = at + match.start()
            break
    return text[start:end]
