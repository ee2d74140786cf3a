"""What a file is by its first bytes, and its size, length or pages by its header; images are written by Pillow."""

import base64
import io
import random
import struct
import wave
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from promptopt.media import (
    MOST_BYTES,
    is_media_file,
    make_media,
    make_media_of_url,
    pdf_pages,
    picture_size,
    read_media,
    type_of_bytes,
    wav_seconds,
)

SIZES = [(1, 1), (640, 480), (17, 3), (20_000, 10), (3, 9000)]


def image(form: str, size: tuple[int, int], **options) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, form, **options)
    return file.getvalue()


def animated(form: str, size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    frames = [Image.new("RGB", size, colour) for colour in ("red", "green", "blue")]
    frames[0].save(file, form, save_all=True, append_images=frames[1:], duration=50)
    return file.getvalue()


def rotated(size: tuple[int, int]) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "x" * 60_000
    return image("JPEG", size, exif=exif)


FILES = {
    "PNG": lambda size: image("PNG", size),
    "JPEG": lambda size: image("JPEG", size),
    "progressive JPEG": lambda size: image("JPEG", size, progressive=True),
    "turned JPEG": rotated,
    "JPEG with a profile": lambda size: image("JPEG", size, icc_profile=random.Random(1).randbytes(200_000)),
    "GIF": lambda size: image("GIF", size),
    "animated GIF": lambda size: animated("GIF", size),
    "lossy WebP": lambda size: image("WEBP", size),
    "lossless WebP": lambda size: image("WEBP", size, lossless=True),
    "WebP with EXIF": lambda size: image("WEBP", size, exif=b"Exif\0\0" + bytes(40)),
    "animated WebP": lambda size: animated("WEBP", size),
}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", FILES)
def test_the_size_is_the_decoders(kind, size):
    if "WebP" in kind and max(size) > 16_383:
        size = (16_383, 10)
    data = FILES[kind](size)
    with Image.open(io.BytesIO(data)) as opened:
        assert picture_size(data) == opened.size == size


@pytest.mark.parametrize("kind", FILES)
def test_a_header_that_is_cut_off_says_no_size_or_the_right_one(kind):
    data = FILES[kind]((40, 30))
    found = {picture_size(data[:end]) for end in range(min(len(data), 3000))}
    assert found <= {None, (40, 30)}
    assert picture_size(data[:8]) is None


@given(
    st.binary(max_size=60), st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF0000WEBP", b""])
)
def test_no_bytes_break_the_readers(data, start):
    for text in (start + data, data + start):
        picture_size(text)
        wav_seconds(text)
        pdf_pages(b"%PDF-" + text)


def sound(seconds: float, *, rate: int = 16_000, channels: int = 2) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(bytes(round(seconds * rate) * channels * 2))
    return file.getvalue()


@pytest.mark.parametrize("seconds", [0.01, 1, 2.5])
@pytest.mark.parametrize("rate", [8000, 44_100])
def test_the_length_of_a_wav(seconds, rate):
    data = sound(seconds, rate=rate)
    assert wav_seconds(data) == pytest.approx(seconds, abs=1 / rate)
    # Programs that stream write no size; others put a chunk of notes before the sound.
    at = data.index(b"data") + 4
    for unsized in (b"\xff\xff\xff\xff", bytes(4)):
        assert wav_seconds(data[:at] + unsized + data[at + 4 :]) == pytest.approx(seconds, abs=1 / rate)
    noted = data[:12] + b"LIST" + struct.pack("<I", 5) + b"INFOx\0" + data[12:]
    assert wav_seconds(noted) == pytest.approx(seconds, abs=1 / rate)
    assert wav_seconds(b"ID3" + data) is None


def pdf(pages: int) -> bytes:
    file = io.BytesIO()
    first, *others = [Image.new("RGB", (20, 20), "white") for _ in range(pages)]
    first.save(file, "PDF", save_all=True, append_images=others)
    return file.getvalue()


def test_the_pages_of_a_pdf():
    assert [pdf_pages(pdf(pages)) for pages in (1, 3, 12)] == [1, 3, 12]
    root = b"<</Resources<</Font<<>>>>/Count 7/Kids[3 0 R]/Type /Pages>>"
    tree = b"1 0 <</Type/Catalog/Pages 2 0 R>> " + root + b" <</Type/Pages/Count 4/Parent 2 0 R>>"
    packed = (
        b"%PDF-1.5\n9 0 obj <</Type /ObjStm /N 3 /First 10>>\nstream\r\n" + zlib.compress(tree) + b"\nendstream endobj"
    )
    assert pdf_pages(packed) == 7
    assert pdf_pages(packed + b"\ntrailer <</Encrypt 8 0 R>>") is None
    assert pdf_pages(b"%PDF-1.7 nothing") is None
    # A page was added later.
    assert pdf_pages(pdf(2) + b"2 0 obj <</Type /Pages /Kids [] /Count 3>> endobj") == 3


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jpg", image("PNG", (2, 2)), "a.jpg is a PNG, and not a JPEG as its name says"),
        ("a.png", b"hello", "a.png is a text, and not a PNG as its name says"),
        ("a.wav", b"\0\1\2", "a.wav is something else, and not a WAV as its name says"),
        ("a.txt", image("PNG", (2, 2)), "a.txt is a PNG, and not a text as its name says"),
        ("a.bmp", image("BMP", (2, 2)), "models take PNG, JPEG, GIF and WebP"),
        ("a", b"\0\1", "neither its name nor its first bytes"),
    ],
)
def test_a_file_that_is_not_what_it_says(name, data, message):
    with pytest.raises(ValueError, match=message):
        make_media(data, name)


def test_a_file_of_a_hundred_megabytes_is_not_read(tmp_path):
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(2 * MOST_BYTES)
    with pytest.raises(ValueError, match=r"huge\.png has 100 MB; at most 50 MB are read"):
        read_media(path)
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        read_media(tmp_path / "gone.png")


def test_names_without_an_ending_go_by_their_bytes(tmp_path):
    assert make_media(image("GIF", (2, 2)), "photo").media_type == "image/gif"
    assert make_media(b"some notes", "NOTES").media_type == "text/plain"
    assert is_media_file("photo", image("WEBP", (2, 2)))
    assert not is_media_file("notes.md", b"A file begins with %PDF- if it is a PDF.")
    assert type_of_bytes(b"A text") is None


def test_addresses():
    data = image("PNG", (2, 2))
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    assert make_media_of_url(url).data == data
    assert make_media_of_url("https://example.com/a.JPG?w=3", detail="low").media_type == "image/jpeg"
    assert make_media_of_url("https://example.com/photo", "image").kind == "image"
    for wrong, message in (
        ("data:image/png;base64,@@", "is not `data:TYPE;base64,DATA`"),
        ("data:image/png;base64,abc", "is not Base64"),
        (url.replace("png", "jpeg"), "is a PNG, and not a JPEG"),
        ("https://example.com/photo", "its ending does not say"),
        ("https://example.com/a.pdf", "is a PDF, not an image"),
    ):
        with pytest.raises(ValueError, match=message):
            make_media_of_url(wrong, "image" if wrong.endswith("pdf") else None)
