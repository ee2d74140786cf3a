"""PO506: images of a prompt that have fewer tokens at low detail."""

import re
import struct

from click.testing import CliRunner

from promptopt.cli import cli


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height) + bytes(9)


def checked(project, tag: str, front: str = "model: gpt-4o\ncalls_per_month: 1000") -> str:
    project.write(
        {"prompts/p/v1.j2": f"---\n{front}\n---\nWhat is on it?\n{tag}\n", "prompts/p/cat.png": png(900, 1200)}
    )
    return CliRunner().invoke(cli, ["check", "prompts/p/v1.j2", "--select", "PO506"]).stdout


def test_a_large_image_is_reported_with_what_low_detail_saves(project) -> None:
    assert checked(project, '{% image "cat.png" %}') == (
        "prompts/p/v1.j2:6:1 PO506 cat.png (900 x 1200) has 765 tokens for gpt-4o, and 85 with "
        'detail="low": enough if nothing small has to be read [-680 tokens, $1.70 a month]\n'
    )


def test_what_has_been_thought_about_or_cannot_be_cheaper_is_not(project) -> None:
    assert checked(project, '{% image "cat.png" detail="high" %}') == ""
    assert checked(project, '{% image "cat.png" %}', "model: gpt-4o\ndetail: low") == ""
    assert checked(project, '{% image "cat.png" %}', "model: claude-sonnet-4-6") == ""
    assert checked(project, "{% image photo %}") == ""


def test_the_page_shows_what_is_printed(project, repository) -> None:
    media = repository / "docs" / "media"
    project.write({f"docs/media/{path.name}": path.read_bytes() for path in media.iterdir()})
    done = CliRunner().invoke(cli, ["check", "docs/media/receipt.j2", "--select", "PO506"])
    (shown,) = re.findall(r"^```text\n(.* PO506 .*\n)```$", (repository / "docs/media.md").read_text(), re.MULTILINE)
    assert done.stdout == shown
