"""Prompts with media through the real SDKs: what arrives at a local server, and what each API refuses before a call."""

import base64
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from wire import answering

import promptopt
from promptopt.media import read_media

TOOLS = '[{"name": "look_up", "description": "Finds an order.", "parameters": {"type": "object", "properties": {}}}]'
SCHEMA = '{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false}'
SOURCE = """---
model: gpt-4o
max_output_tokens: 50
tools: tools.json
output_schema: answer.json
---
{% chat role="system" %}Be short.{% endchat %}
{% chat role="user" %}
What is on it?
{% image "cat.png" detail="low" %}

{{ bill }}{% endchat %}
"""


@pytest.fixture
def served():
    """A server that keeps the bodies that it is sent, and answers none of them."""
    bodies = []

    def refuse(body):
        bodies.append(body)
        return 400, {}, b'{"error": {"message": "no", "type": "invalid_request_error", "code": 400}}'

    with answering(refuse) as url:
        yield SimpleNamespace(bodies=bodies, url=url)


@pytest.fixture
def rendered(project):
    project.write({"prompts/tools.json": TOOLS, "prompts/answer.json": SCHEMA, "prompts/p.j2": SOURCE})
    Image.new("RGB", (30, 20), "red").save("prompts/cat.png")
    Image.new("RGB", (30, 20), "red").save("bill.pdf")
    return promptopt.render(Path("prompts/p.j2"), {"bill": read_media("bill.pdf")})


def encoded(path: str) -> str:
    return base64.b64encode(Path(path).read_bytes()).decode()


def test_chat_completions(rendered, served) -> None:
    from openai import BadRequestError, OpenAI

    with OpenAI(base_url=served.url, api_key="k", max_retries=0) as client, pytest.raises(BadRequestError):
        client.chat.completions.create(**rendered.openai())
    (body,) = served.bodies
    text, image, bill = body["messages"][1]["content"]
    assert body["messages"][0] == {"role": "system", "content": "Be short."}
    assert text == {"type": "text", "text": "What is on it?\n"}
    assert image["image_url"] == {"url": f"data:image/png;base64,{encoded('prompts/cat.png')}", "detail": "low"}
    assert bill["file"] == {
        "filename": "bill.pdf",
        "file_data": f"data:application/pdf;base64,{encoded('bill.pdf')}",
    }
    assert body["tools"][0]["function"]["name"] == "look_up"
    assert body["response_format"]["json_schema"]["schema"] == json.loads(SCHEMA)


def test_responses(rendered, served) -> None:
    from openai import BadRequestError, OpenAI

    with OpenAI(base_url=served.url, api_key="k", max_retries=0) as client, pytest.raises(BadRequestError):
        client.responses.create(**rendered.responses())
    (body,) = served.bodies
    text, image, bill = body["input"][1]["content"]
    assert text["type"] == "input_text"
    assert (image["type"], image["detail"]) == ("input_image", "low")
    assert image["image_url"].endswith(encoded("prompts/cat.png"))
    assert bill["filename"] == "bill.pdf"
    assert body["text"]["format"]["schema"] == json.loads(SCHEMA)


def test_anthropic(rendered, served) -> None:
    from anthropic import Anthropic, BadRequestError

    with Anthropic(base_url=served.url, api_key="k", max_retries=0) as client, pytest.raises(BadRequestError):
        client.messages.create(**rendered.anthropic("claude-sonnet-4-6"))
    (body,) = served.bodies
    text, image, bill = body["messages"][0]["content"]
    assert body["system"] == "Be short."
    assert text["type"] == "text"
    assert image["source"] == {"type": "base64", "media_type": "image/png", "data": encoded("prompts/cat.png")}
    assert bill["source"] == {"type": "base64", "media_type": "application/pdf", "data": encoded("bill.pdf")}
    assert body["tools"][0]["name"] == "look_up"


def test_google(rendered, served) -> None:
    from google import genai
    from google.genai import errors, types

    options = types.HttpOptions(base_url=served.url)
    with genai.Client(api_key="k", http_options=options) as client, pytest.raises(errors.ClientError):
        client.models.generate_content(**rendered.google("gemini-3-pro-preview"))
    (body,) = served.bodies
    text, image, bill = body["contents"][0]["parts"]
    assert text == {"text": "What is on it?\n"}
    # The API takes either spelling of a name; of what is nested the SDK leaves the one that it is given.
    assert image["inlineData"]["mime_type"] == "image/png"
    assert base64.urlsafe_b64decode(image["inlineData"]["data"]) == Path("prompts/cat.png").read_bytes()
    assert image["mediaResolution"] == {"level": "MEDIA_RESOLUTION_LOW"}
    assert bill["inlineData"]["mime_type"] == "application/pdf"
    assert body["tools"][0]["functionDeclarations"][0]["name"] == "look_up"


def of(media, **options):
    message = promptopt.Message("user", "x", parts=("x", media))
    return promptopt.Rendered((message,), "m", promptopt.CallOptions(**options))


def test_detail_is_a_setting_of_the_call(project) -> None:
    Image.new("RGB", (30, 20), "red").save("cat.png")
    low = of(read_media("cat.png"), detail="low")
    assert low.openai()["messages"][0]["content"][1]["image_url"]["detail"] == "low"
    assert low.responses()["input"][0]["content"][1]["detail"] == "low"
    assert low.google()["config"]["media_resolution"] == "MEDIA_RESOLUTION_LOW"
    assert "detail" not in low.openai()
    with pytest.raises(ValueError, match="Anthropic's API takes no detail: leave it out"):
        low.anthropic()
    own = of(read_media("cat.png", detail="high"), detail="low")
    assert own.openai()["messages"][0]["content"][1]["image_url"]["detail"] == "high"


@pytest.mark.parametrize(
    ("name", "data", "api", "message"),
    [
        ("a.flac", b"fLaC1234", "openai", r"chat completions take WAV and MP3, not audio/flac \(a\.flac\)"),
        ("a.mp3", b"ID3\4", "responses", "the Responses API takes no audio"),
        ("a.mp3", b"ID3\4", "anthropic", "Anthropic's API takes no sound"),
        ("a.zip", b"PK\3\4", "anthropic", "takes PDF and text as files, not application/zip"),
    ],
)
def test_what_an_api_does_not_take_is_said_before_a_call(project, name, data, api, message) -> None:
    Path(name).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        getattr(of(read_media(name)), api)()


SUITE = "tests:\n- description: cat\n  vars: {photo: 'file://cat.png'}\n  assert: [{type: contains, value: two}]\n"


def test_a_run_with_an_image_is_recorded_by_its_digest_and_stale_when_the_file_changes(project, endpoint) -> None:
    project.write(
        {
            "prompts/look.j2": "---\nmodel: gpt-4o\nmax_output_tokens: 5\n---\nWhat is it? {{ photo }}",
            "suites/look.yaml": SUITE,
        }
    )
    Image.new("RGB", (600, 600), "red").save("suites/cat.png")
    done = project.run("compare", "look", "--record", "missing", **endpoint.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (sent,) = endpoint.requests
    assert sent["messages"][0]["content"][1]["image_url"]["url"].endswith(encoded("suites/cat.png"))
    (recorded,) = Path("suites/look/recordings").rglob("*.jsonl")
    line = json.loads(recorded.read_text())
    assert list(line["params"]["media_sha256"]) == ["[image cat.png]"]
    assert encoded("suites/cat.png")[:40] not in recorded.read_text()

    # Low detail is another variant, with its own answers and its own tokens.
    done = project.run("compare", "look", "--set", "detail=low", "--record", "missing", **endpoint.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert endpoint.requests[-1]["messages"][0]["content"][1]["image_url"]["detail"] == "low"
    counted = [json.loads(project.run("count", "look", "--json").stdout)["media_tokens"]]
    project.write({"prompts/look.j2": "---\nmodel: gpt-4o\ndetail: low\n---\nWhat is it? {{ photo }}"})
    counted.append(json.loads(project.run("count", "look", "--json").stdout)["media_tokens"])
    assert counted == [765, 85]

    project.write({"prompts/look.j2": "---\nmodel: gpt-4o\nmax_output_tokens: 5\n---\nWhat is it? {{ photo }}"})
    Image.new("RGB", (700, 600), "blue").save("suites/cat.png")
    checked = project.run("recordings", "check")
    assert checked.returncode == 1
    assert "case 'cat', changed since it was recorded: [image cat.png] has changed" in checked.stdout
    stale = project.run("compare", "look", "--record", "none")
    assert stale.returncode != 0
    assert "[image cat.png] has changed" in stale.stdout + stale.stderr


def test_a_medium_that_no_rule_counts_is_unpriced_and_not_gated(project) -> None:
    project.write(
        {
            "prompts/hear.j2": "---\nmodel: gpt-4o\nmax_output_tokens: 5\n---\nWhat is it? {{ sound }}",
            "suites/hear.yaml": "tests:\n- description: bell\n  vars: {sound: 'file://bell.mp3'}\n",
            "suites/bell.mp3": b"ID3\4",
        }
    )
    counted = project.run("count", "hear")
    assert counted.returncode == 0
    assert "+ not countable unpriced unpriced" in " ".join(counted.stdout.split())
    assert "not countable: [audio bell.mp3]: no published rule says how many tokens sounds have" in " ".join(
        counted.stdout.split()
    )
    updated = project.run("budget", "update")
    assert updated.returncode == 2
    assert "prompts/hear.j2: the input of case 'bell' cannot be counted: [audio bell.mp3]" in updated.stderr


def test_a_case_that_the_api_cannot_take_fails_alone_and_is_named(project, endpoint) -> None:
    project.write(
        {
            "prompts/hear.j2": "---\nmodel: gpt-4o\nmax_output_tokens: 5\n---\nWhat is it? {{ sound }}",
            "suites/hear.yaml": "tests:\n- {description: bell, vars: {sound: 'file://bell.flac'}}\n"
            "- {description: word, vars: {sound: ding}}\n",
            "suites/bell.flac": b"fLaC1234",
        }
    )
    done = project.run("compare", "hear", "--record", "missing", **endpoint.environment)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "chat completions take WAV and MP3, not audio/flac (bell.flac)" in said
    assert "bell" in said
    assert len(endpoint.requests) == 1


def test_a_program_gets_the_bytes(project) -> None:
    Image.new("RGB", (30, 20), "red").save("cat.png")
    project.write(
        {
            "app.py": "def answer(photo):\n    return f'{photo.media_type} {len(photo.data)}'\n",
            "says.py": "import json, sys\nprint(json.load(sys.stdin)['variables']['photo'][:30])\n",
            "pyproject.toml": "[tool.promptopt.providers.app]\ntype = 'python'\nfunction = 'file://app.py:answer'\n",
            "prompts/look.j2": "---\nmodel: app:x\n---\n{{ photo }}",
            "suites/look.yaml": "tests:\n- {description: a, vars: {photo: 'file://cat.png'}}\n",
            "suites/cat.png": Path("cat.png").read_bytes(),
        }
    )
    size = len(Path("cat.png").read_bytes())
    assert project.run("compare", "look", "--record", "all").returncode == 0
    (recorded,) = Path("suites/look/recordings").rglob("*.jsonl")
    assert json.loads(recorded.read_text())["response"]["text"] == f"image/png {size}"
    assert project.run("compare", "look", "--record", "all", "--model", "exec:python3 says.py").returncode == 0
    assert '"data:image/png;base64,iVBORw0K"' in recorded.read_text()


@pytest.mark.parametrize(
    "command", [("count", "look"), ("compare", "look", "--record", "none")], ids=lambda each: each[0]
)
def test_a_file_that_is_missing_in_one_case_is_named_with_the_case(project, command) -> None:
    project.write(
        {
            "prompts/look.j2": "---\nmodel: gpt-4o\n---\n{% image photo %}",
            "suites/look.yaml": "tests:\n- {description: gone, vars: {photo: gone.png}}\n",
        }
    )
    said = project.run(*command).stderr
    assert "prompts/look.j2:4: {% image %}: the file 'gone.png' does not exist" in said
    assert "(in case 'gone')" in said
