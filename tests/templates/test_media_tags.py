"""Images, sounds and files in prompts: tags, variables, chats of APIs, and what is refused."""

import base64
import io
import struct
import wave
from pathlib import Path

import pytest

import promptopt
from promptopt.errors import TemplateError
from promptopt.media import read_media
from promptopt.templates.attribution import attribute
from promptopt.values import Media


def png(width: int = 4, height: int = 3) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height) + bytes(9)


def wav(seconds: float = 0.5) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(int(seconds * 16000)))
    return file.getvalue()


@pytest.fixture
def prompts(project):
    project.write(
        {
            "prompts/cat.png": png(),
            "prompts/img/dog.png": png(9, 9),
            "prompts/bell.wav": wav(),
            "prompts/bill.pdf": b"%PDF-1.4\n1 0 obj <</Type /Pages /Count 1>> endobj",
            "prompts/notes.txt": b"plain",
        }
    )
    return project


def parts(project, source: str, variables=None, name: str = "p.j2"):
    project.write({f"prompts/{name}": source})
    return promptopt.render(Path("prompts", name), variables or {}).messages[-1].parts


def test_a_tag_is_a_part_in_its_place(prompts):
    source = (
        '{% chat role="user" %}\nLook at\n{% image "cat.png" detail="low" %}\nand\n{% audio "bell.wav" %}{% endchat %}'
    )
    first, cat, second, bell = parts(prompts, source)
    assert (first, second) == ("Look at\n", "and\n")
    assert (cat.name, cat.media_type, cat.detail, cat.data) == ("cat.png", "image/png", "low", png())
    assert (bell.kind, bell.media_type) == ("audio", "audio/wav")


def test_a_prompt_without_chat_blocks_is_the_users_message(prompts):
    project = prompts
    assert [str(part) for part in parts(project, 'Read {% file "bill.pdf" %} aloud.')] == [
        "Read ",
        "[file bill.pdf]",
        " aloud.",
    ]


def test_files_are_beside_the_prompt_or_in_the_prompts_folder(prompts):
    assert parts(prompts, '{% image "dog.png" %}{% image "img/dog.png" %}', name="img/p.j2")[0].name == "dog.png"
    assert parts(prompts, '{% image "cat.png" %}', name="img/q.j2")[0].data == png()


@pytest.mark.parametrize(
    "source",
    [
        "{{ photo }}",
        "{% image photo %}",
        "{% file photo %}",
        "{% for each in [photo] %}{{ each }}{% endfor %}",
        "{{ [photo] | join }}",
        "{{ '' ~ photo }}",
        "{% set kept %}{{ photo }}{% endset %}{{ kept }}",
        "{% macro show(it) %}{{ it }}{% endmacro %}{{ show(photo) }}",
        '{% chat role="user" %}{{ photo }}{% endchat %}',
        '{% chat role="user" %}{% for each in [photo] %}{% image each %}{% endfor %}{% endchat %}',
        '[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "{{ photo }}"}}]}]',
        '[{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,{{ photo }}"}]}]',
        (
            '[{"role": "user", "content": [{% if photo %}{"type": "image", "source": {"type": "base64", '
            '"media_type": "image/png", "data": "{{ photo }}"}}{% endif %}]}]'
        ),
    ],
)
def test_a_variable_is_a_part_however_it_is_printed(prompts, source):
    photo = read_media("prompts/cat.png")
    assert parts(prompts, source, {"photo": photo}) == (photo,)


def test_a_data_url_is_an_image_and_an_address_is_a_text(prompts):
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    (image,) = parts(prompts, "{{ photo }}", {"photo": url})
    assert (image.media_type, image.data) == ("image/png", png())
    assert parts(prompts, "See {{ page }}", {"page": "https://example.com/a.png"}) == ()
    (image,) = parts(prompts, '{% image page detail="high" %}', {"page": "https://example.com/a.png"})
    assert (image.url, image.detail, image.data) == ("https://example.com/a.png", "high", b"")
    # What is no image stays the text that it is.
    assert parts(prompts, "{{ photo }}", {"photo": "data:image/png;base64,AAAA"}) == ()


def test_no_text_is_taken_for_a_part(prompts):
    photo = read_media("prompts/cat.png")
    ticket = "\ufdd00000000000000000\ufdd1"
    prompts.write({"prompts/p.j2": "{{ photo }}{{ ticket }}"})
    (message,) = promptopt.render(Path("prompts/p.j2"), {"photo": photo, "ticket": ticket}).messages
    assert message.parts == (photo, ticket)
    assert message.content == ticket


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('a\n{% image "gone.png" %}', r"p\.j2:2: {% image %}: the file 'gone\.png' does not exist; looked for"),
        ('{% if x %}{% image "gone.png" %}{% endif %}', r"p\.j2:1: .*'gone\.png' does not exist"),
        ('{% image "../out.png" %}', r"p\.j2:1: .*'\.\./out\.png' is outside the folder prompts"),
        ('{% image "/etc/passwd" %}', r"p\.j2:1: .*is outside the folder prompts"),
        ('{% image "link.png" %}', r"p\.j2:1: .*'link\.png' leads out of the folder prompts"),
        ('{% image "bill.pdf" %}', r"p\.j2:1: .*bill\.pdf is a PDF, not an image; {% file %} sends it"),
        ('{% image "notes.txt" %}', r"p\.j2:1: .*notes\.txt is of type text/plain, not an image"),
        ('{% image "fake.png" %}', r"p\.j2:1: .*fake\.png is a PDF, and not a PNG as its name says"),
        ('{% image "cut.png" %}', r"p\.j2:1: .*cut\.png is cut off or broken: its header says no size"),
        ('{% image "empty.png" %}', r"p\.j2:1: .*empty\.png is empty"),
        ('{% image "img" %}', r"p\.j2:1: .*img cannot be read: Is a directory"),
        ('{% image "cat.png" detail="tiny" %}', r"p\.j2:1: .*detail 'tiny' is not one of low, high, auto, original"),
        ('{% image "cat.png" size=3 %}', r"p\.j2:1: the tag image takes `detail` after what it names, not 'size'"),
        ('{% audio "bell.wav" detail="low" %}', r"p\.j2:1: the tag audio takes nothing after"),
        ("{% image %}", r"p\.j2:1: .*names nothing here"),
        ("{% image missing %}", r"p\.j2:1: the variable 'missing' is undefined"),
        ("{% image 7 %}", r"p\.j2:1: .*7 names nothing"),
        (
            '{% image "cat.png" %}\n{% chat role="user" %}x{% endchat %}',
            r"p\.j2:1: the tag {% image %} outside the chat",
        ),
        (
            '{% chat role="system" %}\n{% image "cat.png" %}{% endchat %}',
            r"p\.j2:1: \[image cat\.png\] in a message of",
        ),
        (
            '{% chat role="user" %}a{% endchat %}\n{% chat role="assistant" %}{% image "cat.png" %}{% endchat %}',
            r"j2:2: ",
        ),
        ("{{ [photo] }}", r"p\.j2:1: .*\[image cat\.png\] is printed within a list or a mapping: print each item"),
        ("{{ (photo ~ '')[:9] }}", r"p\.j2.*a filter changes what an image"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_place(prompts, source, message, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x.png"
    outside.write_bytes(png())
    prompts.write({"prompts/fake.png": b"%PDF-1.4 x", "prompts/cut.png": png()[:12], "prompts/empty.png": b""})
    (prompts.root / "prompts" / "link.png").symlink_to(outside)
    prompts.write({"prompts/p.j2": source})
    with pytest.raises(TemplateError, match=message):
        promptopt.render(Path("prompts/p.j2"), {"photo": read_media("prompts/cat.png")})


def test_a_tag_in_an_include_is_named_by_its_own_file(prompts):
    prompts.write({"prompts/inner.j2": "x\n{% image name %}", "prompts/p.j2": 'a\nb\nc\n{% include "inner.j2" %}'})
    with pytest.raises(TemplateError, match=r"^prompts/inner\.j2:2: .*'gone\.png' does not exist"):
        promptopt.render(Path("prompts/p.j2"), {"name": "gone.png"})


def test_the_content_of_a_turn_may_be_a_list_of_parts(prompts):
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    content = [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]
    source = "{% for turn in history %}{% chat role=turn.role %}{{ turn.content }}{% endchat %}{% endfor %}"
    text, image = parts(prompts, source, {"history": [{"role": "user", "content": content}]})
    assert (text, image.data, image.detail) == ("Look:", png(), "low")


def test_attribution_still_knows_the_lines(prompts):
    prompts.write({"prompts/p.j2": 'See this:\n{% image "cat.png" %}\nor {{ photo }}.\n'})
    template = promptopt.load_prompt(Path("prompts/p.j2"))
    found = attribute(template, {"photo": read_media("prompts/img/dog.png")})
    assert found.exact
    assert [(part.line, part.source) for part in found.parts] == [
        (1, "See this:"),
        (2, '{% image "cat.png" %}'),
        (3, "or {{ photo }}."),
        (3, "{{ photo }}"),
    ]


def test_a_case_names_a_file_and_stays_the_same_case_when_it_changes(prompts):
    suite = 'tests:\n- vars: {photo: "file://cat.png", note: "file://notes.txt"}\n'
    prompts.write({"suites/s.yaml": suite, "suites/cat.png": png(), "suites/notes.txt": "read me"})
    (case,) = promptopt.load_suite("s").cases
    assert case.vars["note"] == "read me"
    assert isinstance(case.vars["photo"], Media)
    assert case.vars["photo"].data == png()
    prompts.write({"suites/cat.png": png(8, 8)})
    (again,) = promptopt.load_suite("s").cases
    assert again.name == case.name
    assert again.vars["photo"].sha256 != case.vars["photo"].sha256


def test_a_case_whose_image_is_broken_is_named(prompts):
    prompts.write({"suites/s.yaml": 'tests:\n- vars: {photo: "file://cat.png"}\n', "suites/cat.png": b"GIF89a"})
    with pytest.raises(promptopt.PromptoptError, match=r"suites/s\.yaml:2: suites/cat\.png is a GIF, and not a PNG"):
        promptopt.load_suite("s")
