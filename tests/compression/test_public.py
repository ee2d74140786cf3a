import subprocess
import sys

import pytest

import promptopt
from promptopt.compression.engine import compressed_template
from promptopt.errors import UsageError

SOURCE = "I want you to greet {{ name }} warmly. Do it in order to please the user.\n"


@pytest.fixture
def prompt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "greet.j2"
    path.write_text(SOURCE)
    return path


def test_render_compressed(prompt):
    plain = promptopt.render(prompt, {"name": "please in order to"})
    rendered = promptopt.render(prompt, {"name": "please in order to"}, compress="safe")
    assert rendered.text == "Greet please in order to warmly. Do it to please the user."
    assert rendered.text != plain.text


def test_a_template_is_compressed_once(prompt):
    template = promptopt.load_prompt(prompt)
    first = compressed_template(template, "standard")
    promptopt.render(template, {"name": "x"}, compress="standard")
    assert compressed_template(template, "standard") is first


def test_render_refuses_an_unknown_level(prompt):
    with pytest.raises(UsageError, match="no level"):
        promptopt.render(prompt, {"name": "x"}, compress="hard")


def test_the_room_can_be_called_whatever_was_imported_first():
    code = "import promptopt.compression.engine, promptopt; print(promptopt.compress('Please stop.').text)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Stop.\n"


def test_the_work_for_a_template_grows_with_its_length():
    text = "Please make sure to answer question {} about the red bird in order to help the user.\n\n"

    def calls(first: int, size: int) -> int:
        """Function calls, which no other process slows down."""
        body = "".join(text.format(number) for number in range(first, first + size))
        counted = 0

        def count(*_: object) -> None:
            nonlocal counted
            counted += 1

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            promptopt.compress(body)
        finally:
            sys.setprofile(before)
        return counted

    calls(0, 10)
    assert calls(4000, 400) < 5 * calls(1000, 100)


def test_a_text_may_hold_what_a_rewrite_of_it_may_not_lose():
    assert promptopt.facts("Do not exceed 5 words.") != promptopt.facts("Do not exceed 6 words.")


def test_a_model_rewrite_is_judged_by_the_facts(tmp_path, monkeypatch):
    from promptopt.compression.by_model.rewrite import rewrite_prompt
    from promptopt.compression.engine import compress_prompt
    from promptopt.values import Response, Usage

    class Writer:
        """Answers as a model would: once well, once losing a number."""

        def complete(self, request):
            old = request.messages[-1].content
            new = "Answer the question about birds. Do not use more than 5 words." if "birds" in old else "Use words."
            return Response(request.model, new, usage=Usage(input_tokens=100, output_tokens=20))

        def close(self):
            pass

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "p.j2"
    path.write_text(
        "---\nmodel: gpt-4o-mini\n---\n"
        "When a question about birds comes in, answer the question about birds that came in. Do not use "
        "more than 5 words.\n"
        "\nUse exactly 7 words in each and every one of the answers.\n\n{{ question }}\n"
    )
    template = promptopt.load_prompt(path)
    result = rewrite_prompt(template, compress_prompt(template, "safe"), "gpt-4o-mini", Writer())
    assert result.asked == 2
    assert "exactly 7 words" in result.compression.text
    assert any("would lose" in step.refused for step in result.compression.refused)
    assert "{{ question }}" in result.compression.text
    assert result.usd is not None
    assert result.usd > 0
