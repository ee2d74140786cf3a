"""Tokens of media by the rules that providers publish; their own examples."""

import io
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.call_options import CallOptions
from promptopt.media import make_media, make_media_of_url
from promptopt.media_tokens import image_tokens, media_tokens
from promptopt.tokens import count_tokens
from promptopt.values import Message, Rendered


def png(width: int = 512, height: int = 512) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height) + bytes(9)


def wav(seconds: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(1000)
        sound.writeframes(bytes(round(seconds * 1000)))
    return file.getvalue()


@pytest.mark.parametrize(
    ("model", "size", "detail", "tokens"),
    [
        ("gpt-4o", (1024, 1024), "", 765),
        ("gpt-4o", (2048, 4096), "high", 1105),
        ("gpt-4o", (4096, 8192), "low", 85),
        ("gpt-4.1", (1024, 1024), "", 765),
        ("gpt-4o-mini", (512, 512), "", 2833 + 5667),
        ("o3", (20_000, 10), "", 75 + 4 * 150),
        ("gpt-4.1-mini", (1024, 1024), "", 1659),
        # 1,452 patches after the scaling.
        ("gpt-5-mini", (1800, 2400), "", 2353),
        ("gpt-5.4-nano", (1, 1), "", 3),
        ("o4-mini", (4000, 4000), "low", 441),
        ("claude-sonnet-4-6", (1920, 1080), "", 1560),
        ("claude-opus-4-7", (1920, 1080), "", 2691),
        ("claude-opus-4-7", (3840, 2160), "", 4784),
        ("claude-sonnet-5", (4032, 3024), "", 4740),
        ("claude-3-5-sonnet-20241022", (200, 200), "", 64),
        ("claude-sonnet-4-20250514", (20_000, 10), "", 56),
        ("gemini-2.5-flash", (384, 384), "", 258),
        ("gemini-2.5-flash", (960, 540), "", 6 * 258),
        ("gemini-2.5-flash", (960, 540), "low", 64),
        ("gemini-3-pro-preview", (10, 10), "", 1120),
        ("gemini-3-pro-preview", (4000, 4000), "low", 280),
        ("gpt-5.6-luna", (10, 10), "", None),
        ("llama-3", (10, 10), "", None),
    ],
)
def test_images(model, size, detail, tokens):
    assert image_tokens(model, size, detail) == tokens


SIDES = st.integers(1, 30_000)


@given(SIDES, SIDES, st.sampled_from(["gpt-4o", "gpt-4.1", "gpt-5-mini", "claude-opus-4-8", "claude-haiku-4-5"]))
def test_a_count_is_never_above_what_a_budget_sets_aside(width, height, model):
    counted = image_tokens(model, (width, height))
    assert 0 < counted <= image_tokens(model, (width, height), at_most=True) <= image_tokens(model, None, at_most=True)
    # A picture on its side has as many.
    assert counted == image_tokens(model, (height, width))


PDF = make_media(b"%PDF-1.4 <</Type /Pages /Count 3>>", "a.pdf")


@pytest.mark.parametrize(
    ("medium", "model", "tokens"),
    [
        (PDF, "gemini-2.5-pro", 3 * 258),
        (PDF, "gemini-3-pro-preview", 3 * 560),
        (PDF, "gpt-4o", None),
        (PDF, "claude-sonnet-4-6", None),
        (make_media(wav(10.5), "a.wav"), "gemini-2.5-pro", 336),
        (make_media(wav(10.5), "a.wav"), "gpt-audio", None),
        (make_media(b"ID3\x04", "a.mp3"), "gemini-2.5-pro", None),
        (make_media_of_url("https://example.com/a.png"), "gpt-4o", None),
        (make_media_of_url("https://example.com/a.png", detail="low"), "gpt-4o", 85),
    ],
)
def test_files_and_sounds(medium, model, tokens):
    assert media_tokens(medium, model) == tokens


def message(*parts):
    return Message("user", "".join(part for part in parts if isinstance(part, str)), parts=parts)


def test_a_count_has_media_apart_and_is_an_estimate():
    found = count_tokens([message("Look: ", make_media(png(), "a.png"))], "openai:gpt-4o-2024-08-06")
    assert (found.media, found.tokens, found.basis) == (255, 255 + 3 + 7, "estimated")
    assert found.uncounted == ()
    low = Rendered((message(make_media(png(), "a.png")),), model="gpt-4o", params=CallOptions(detail="low"))
    assert count_tokens(low).media == 85


def test_what_is_not_countable_is_said_with_why():
    sound, image = make_media(b"ID3\x04", "a.mp3"), make_media_of_url("https://example.com/a.png")
    found = count_tokens([message("x", sound, image, sound)], "gpt-4o")
    assert found.media == 0
    assert found.uncounted == (
        "[audio a.mp3]: no published rule says how many tokens sounds have with gpt-4o",
        "[image a.png]: the size of what is at an address is not known",
    )
    assert count_tokens([message(sound)], "gemini-2.5-pro").uncounted == (
        "[audio a.mp3]: its header does not say how large or how long it is",
    )


def test_a_text_file_has_the_tokens_of_its_text():
    assert count_tokens([message(make_media(b"one two three", "a.txt"))], "gpt-4o").media == 3
