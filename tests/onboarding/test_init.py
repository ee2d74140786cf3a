"""``promptopt init``: what is found, that it says what the program sends, and that the gate passes at once."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pages import STEP, as_pattern, commands

import promptopt
from promptopt.cli import cli
from promptopt.onboarding.proposal import Proposal, propose

CALL = "client.chat.completions.create(model='gpt-4o-mini', messages=[{'role': 'user', 'content': %s}])"


class Client:
    """Takes every call of an SDK and keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def __getattr__(self, _name: str) -> "Client":
        return self

    def __call__(self, **given: Any) -> None:
        self.given.append(given)


def texts(given: dict[str, Any]) -> list[tuple[str, str]]:
    """The messages of a call in any API."""
    system = [("system", given[key]) for key in ("system", "instructions") if given.get(key)]
    messages = given.get("messages", given.get("input", given.get("prompt", [])))
    messages = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    plain = [*system, *((each["role"], each["content"]) for each in messages)]
    return [
        (role, "".join(part["text"] for part in text) if isinstance(text, list) else text.strip())
        for role, text in plain
    ]


# What a function does with `ticket` and `user`; each is sent by `client`.
SHAPES = {
    "f-string": "    " + CALL % "f'Route the ticket {ticket} of {user.name} now'",
    "formats": "    " + CALL % "f'Ticket {ticket!r:>60}, age {user.age:.2f}, {user.age:{user.width}} and {ticket!s}!'",
    "braces": "    " + CALL % 'f\'As JSON {{"a": {{"b": {ticket}}}}} {{% x %}} {{# y #}} ${{ z }} {{{{ q }}}} done\'',
    "quotes": "    "
    + CALL % "f'''It's \"{user.tags['a']}\" and {ticket.replace(chr(10), ' ')} in \\\\n and \\t tabs'''",
    "concatenation": "    " + CALL % "'Route this: ' 'now. ' + ticket + ' Thanks, ' + user.name",
    "format method": "    " + CALL % "'Route {0} of {u.name} ({n:03d}) as {{x}}, {0!r}'.format(ticket, u=user, n=7)",
    "percent": "    " + CALL % "'Route %s of %s (%.1f%%), %d' % (ticket, user.name, user.age, 5)",
    "percent with names": "    " + CALL % "'Route %(t)s, please do %(t)s' % {'t': ticket}",
    "lines": "    " + CALL % "'\\n'.join(['Route the ticket.', f'It is: {ticket}', '- a', '  - b'])",
    "dedent": "    text = dedent(f'''\\\n        Route {ticket}.\n          - indented\n        End.''')\n    "
    + CALL % "text",
    "strip": "    " + CALL % "f'''\n\n  Route the {ticket} well.\n\n'''.strip()",
    "names": f"    text = RULES + f' Ticket: {{ticket}}'\n    text += '\\nBe brief.'\n    {CALL % 'text'}",
    "template": "    text = Template('Route $t for $$5, ${u} please').substitute(t=ticket, u=user.name)\n    "
    + CALL % "text",
    "system": "    messages = [{'role': 'system', 'content': RULES}, {'role': 'user', 'content': ticket}]\n"
    "    client.chat.completions.create(messages=messages, model=MODEL, temperature=0.5, max_tokens=9, stop=['x'])",
    "anthropic": "    client.messages.create(model='claude-haiku-4-5', max_tokens=50, system=f'{RULES} {user.name}', "
    "messages=[{'role': 'user', 'content': [{'type': 'text', 'text': ticket}]}])",
    "responses": "    client.responses.create(model='gpt-4.1', instructions=RULES, input=f'Look at {ticket}', "
    "max_output_tokens=9)",
    "appended": "    m = []\n    m.append({'role': 'system', 'content': RULES})\n"
    "    m.append({'role': 'user', 'content': f'It is {ticket}'})\n"
    "    client.chat.completions.create(model=MODEL, messages=m)",
    "bound again": "    m = [{'role': 'user', 'content': user.name}]\n"
    "    m.append({'role': 'user', 'content': ticket})\n"
    "    m = [{'role': 'system', 'content': RULES}]\n    text = ticket\n"
    "    m.append({'role': 'user', 'content': 'See ' + text})\n"
    "    client.chat.completions.create(model=MODEL, messages=m)",
    "shadowed": "    Texts = user\n    " + CALL % "f'{Texts.name} sent {ticket}'",
    "replaced": "    " + CALL % "RULES.replace('{braces}', ticket).replace('support', 'all')",
    "blocks of a system": "    client.messages.create(model='claude-haiku-4-5', max_tokens=50, "
    "system=[{'type': 'text', 'text': RULES}], messages=[{'role': 'user', 'content': ticket}])",
    "stream": "    client.messages.stream(model='claude-haiku-4-5', max_tokens=50, system=RULES, "
    "messages=[{'role': 'user', 'content': ticket}])",
    "constant of a class": "    " + CALL % "f'{Texts.HEAD} It is {ticket}'",
    "member of an enum": "    " + CALL % "Kinds.SHORT.value + ticket",
    "in a branch": f"    if ticket:\n        text = f'Route {{ticket}} at once'\n        {CALL % 'text'}",
    "walrus": "    if (text := f'Look at {ticket} again'):\n        " + CALL % "text",
    "expressions": "    "
    + CALL % "f'Route {len(ticket)} letters {[t for t in ticket][:2]} and {user.age + 1:>5} of it'",
    "ends of tags": "    " + CALL % "f'}} and %}} and #}} after {ticket} {{'",
    "helper": "    " + CALL % "build(ticket, name=user.name)",
    "helper, its defaults": "    " + CALL % "build(user.name + '!')",
    "helper by a name": "    text = numbered(user.age, ticket)\n    " + CALL % "text",
    "helper of a helper": "    " + CALL % "outer(ticket.lower(), [user.name])",
    "helper of messages": "    client.chat.completions.create(model=MODEL, messages=chat(user, ticket))",
    "helper that appends": "    client.chat.completions.create(model=MODEL, messages=appended(user, ticket))",
    "foreign names": "    größe = len(ticket)\n    " + CALL % "f'日本語 {größe} 🙂 Zeichen {ticket}'",
}
HEAD = (
    "from string import Template\nfrom textwrap import dedent\nimport openai\n"
    "MODEL = 'gpt-4o-mini'\nRULES = 'You route support tickets. Use {braces} freely.'\n\n"
)
CLASSES = (
    "from enum import Enum\n\nclass Texts:\n    HEAD = 'You sort the letters.'\n\n"
    "class Kinds(Enum):\n    SHORT = 'Answer in one word: '\n\n"
)
# The names of parameters are those that others have at the place of the call.
HELPERS = (
    "def build(text, *, name='Bob'):\n    'Makes it.'\n    head: str = f'Route this for {name}: '\n"
    "    text = text + ' {}'\n    return head + text + f' now, {len(name):>5} {[x for x in name][:1]}'\n\n"
    "def numbered(ticket, user):\n    size = len(str(ticket))\n    size_of = f'{size} letters'\n"
    "    return 'Look at %s for %s: %s' % (size_of, ticket, user)\n\n"
    "def outer(user, ticket):\n    return dedent('It is for ' + build(user) + ' and ') + ticket[0]\n\n"
)
MESSAGES = (
    "def chat(u, t):\n    return [{'role': 'system', 'content': RULES}, {'role': 'user', 'content': u.name + t}]\n\n"
    "def appended(u, ticket):\n    m = [{'role': 'system', 'content': RULES}]\n"
    "    m.append({'role': 'user', 'content': f'{u.name}: {ticket}'})\n    return m\n\n"
)
USER = SimpleNamespace(name="Ann", age=41.25, width=9, tags={"a": "b"})


@pytest.mark.parametrize("shape", SHAPES)
def test_the_file_says_what_the_program_sends(shape: str, project) -> None:
    helpers = (HELPERS if "helper" in shape else "") + (MESSAGES if "messages" in shape or "appends" in shape else "")
    source = f"{HEAD}{CLASSES}{helpers}def route(ticket, user):\n{SHAPES[shape]}\n"
    project.write({"app.py": source})
    proposal = propose(project.root)
    assert proposal.left_out == ()
    write(proposal)
    (site,) = proposal.calls
    # The call that is proposed, in the place of the one that is there.
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    (call,) = [node for node in calls if ast.unparse(node.func).startswith("client.")]
    segment = ast.get_source_segment(source, call)
    assert segment is not None
    sent = []
    for text in (source, source.replace(segment, site.code)):
        client = Client()
        names: dict[str, Any] = {"client": client, "promptopt": promptopt}
        exec(compile(text.replace("import openai\n", ""), "app.py", "exec"), names)
        # `dedent` takes the lines of a value too, which the template does not.
        names["route"]("lost 'parcel' {{ x }} {y}" + "\n 2" * (shape != "dedent"), USER)
        sent.append(client.given[0])
    assert texts(sent[0]) == texts(sent[1])
    kept = ("model", "temperature", "stop")
    settings = [{name: given[name] for name in kept if name in given} | {"cap": cap(given)} for given in sent]
    assert settings[0] == settings[1]


def cap(given: dict[str, Any]) -> int | None:
    names = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    return next((given[name] for name in names if name in given), None)


def write(proposal: Proposal) -> None:
    for path, text in proposal.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


CREATE = "    client.chat.completions.create(model='m', messages="
CANNOT = {
    "in a branch": (
        "    text = 'Route it well.'\n    if user:\n        text += ' Soon.'\n    " + CALL % "text + ticket",
        11,
    ),
    "grow by .append": (
        "    m = [{'role': 'system', 'content': 'Be brief and kind.'}]\n"
        "    for past in user.past:\n        m.append({'role': 'user', 'content': past})\n" + CREATE + "m)",
        11,
    ),
    "spliced in": (CREATE + "[{'role': 'system', 'content': 'x y z'}, *user.past])", 8),
    "images": (CREATE + "[{'role': 'user', 'content': [{'type': 'image_url', 'image_url': user.photo}]}])", 8),
    "the role user.role": (CREATE + "[{'role': user.role, 'content': 'Read this well'}])", 8),
    "formatted again": ("    " + CALL % "f'Route {ticket} now {{}}'.format(user)", 8),
}


@pytest.mark.parametrize("reason", CANNOT)
def test_what_cannot_be_carried_over_is_listed_with_its_line(reason: str, project) -> None:
    body, line = CANNOT[reason]
    project.write({"app.py": f"{HEAD}def route(ticket, user):\n{body}\n"})
    proposal = propose(project.root)
    (left,) = proposal.left_out
    assert (left.path, left.line) == ("app.py", line)
    assert reason in left.reason
    assert proposal.files == {}


# Programs whose prompt cannot be carried over; the line that must be named is marked.
PASSED_OVER = """
def spliced(c, given):
    return c.chat.completions.create(**given)  # named

def built_later(c, t):
    given = {'model': 'm'}
    given['messages'] = [{'role': 'user', 'content': f'Name the town {t}'}]  # named
    return c.chat.completions.create(**given)  # named

def ask(text):
    return c.chat.completions.create(messages=[{'role': 'user', 'content': text}])

def helper(t):
    return ask(f'Name the lake {t}')  # named

def made(t):
    if t:
        return f'Name the river {t}'  # named
    return 'Name no river at all'  # named

def maker(c, t):
    return c.responses.create(input=made(t))  # named

def local(service, t):
    prompt = f'Name the hill {t}'  # named
    return service.ask(prompt)

PROMPTS = {'a': 'Name the house here', 'b': 'Name the street here'}  # named
TABLE = {'a': 'Name the garden here'}

def table_in_a_call(c, k):
    return c.chat.completions.create(messages=[{'role': 'user', 'content': TABLE[k]}])  # named

class Either:
    def __init__(self, system=None):
        self.system = system or 'Name the tree here'  # named

def default(c, t, system_prompt='Name the bird here'):  # named
    return c.ask(t, system_prompt)

agent = Agent('openai:x', instructions='Name the fish here')  # named

def asked(llm, t):
    return llm.invoke(f'Name the horse {t}')  # named

pulled = hub.pull('rlm/rag')  # named
shots = FewShotPromptTemplate(examples=[], prefix='Name the flower here', suffix='{x}')  # named

def system_instruction(c, t):
    return c.generate_content(f'Name the car {t}', config=Config(system_instruction='Be kind', labels={}))  # named

def body(t):
    return post(json={'messages': [{'role': 'user', 'content': 'Name the ship here'}]})  # named

def chinese(service):
    prompt = '请说出这座城市的名字'  # named
    return service.ask(prompt)
"""


def test_no_prompt_is_passed_over_without_a_word(project) -> None:
    project.write({"app.py": f"import openai{PASSED_OVER}"})
    proposal = propose(project.root, model="gpt-4o-mini")
    wanted = [number for number, line in enumerate(PASSED_OVER.splitlines(), 1) if line.endswith("# named")]
    assert sorted(each.line for each in proposal.left_out) == wanted
    assert proposal.files == {}


def test_what_is_carried_over_or_no_prompt_is_not_named(project) -> None:
    program = (
        "import click\nimport openai\n"
        "@click.option('--name', prompt='What is your name please')\n"
        "def go(c, name):\n"
        "    print('The prompt is sent to the model now')\n"
        "    prompt = RULES_PROMPT.format(name=name)\n"
        f"    return {CALL % 'prompt'}\n"
        "RULES_PROMPT = 'Greet %d{{}} {name:>20} by the name'\n"
    )
    project.write({"app.py": program})
    proposal = propose(project.root)
    assert proposal.left_out == ()
    assert len(proposal.prompts) == 1


def test_a_name_or_an_address_in_a_file_of_prompts_is_no_prompt(project) -> None:
    program = "CHEAP = 'gpt-4.1-nano'\nFILE = 'data/golden-set.v2.json'\nURL = 'https://example.com/v1/chat'\n"
    project.write({"prompts.py": program + "RULES = 'Answer in French.'\n"})
    assert [found.where for found in propose(project.root, model="gpt-4o-mini").prompts.values()] == ["RULES"]


def test_functions_that_make_prompts_for_what_is_not_seen_are_carried_over(project) -> None:
    program = """import llm
class Agent:
    def system_prompt(self):
        return f"You help {self.name} with the garden."

    @property
    def rules_prompt(self):
        return "Never cut a rose in May."

    def run(self, c, t):
        c.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": self.rules_prompt + t}])
        c.ask(self.system_prompt())

def build_messages(town):
    return [{"role": "user", "content": f"Name the river of {town}"}]

def branch_prompt(town):
    if town:
        return f"Name the wood of {town}"
    return "Name a wood that you like"

async def later_prompt(town):
    return f"Name the hill of {await town}"

def short_prompt(x):
    return x.strip()
"""
    project.write({"app.py": program})
    proposal = propose(project.root)
    assert {site.name: site.code for site in proposal.calls} == {
        "app-run": "c.chat.completions.create(**promptopt.render('app-run', {'t': t}).openai())",
        "app-system": "return promptopt.render('app-system', {'name': self.name}).text",
        "build-messages": "return promptopt.render('build-messages', {'town': town}).openai()[\"messages\"]",
        "later": "return promptopt.render('later', {'town': await town}).text",
    }
    assert [each.line for each in proposal.left_out] == [19, 20]


def test_texts_of_other_modules_are_followed_by_every_way_to_import_them(project) -> None:
    project.write(
        {
            "bot/prompts.py": "SORT = ' '.join(['Sort the', 'letters.'])\n"
            "class Mail:\n    REPLY = f'{SORT} Reply to all.'\n",
            "bot/one.py": f"from . import prompts\ndef one(t):\n    {CALL % 'prompts.SORT + t'}\n",
            "bot/two.py": f"import bot.prompts as p\ndef two(t):\n    {CALL % 'p.SORT + p.Mail.REPLY'}\n",
            "bot/three.py": f"from bot.prompts import Mail as M\ndef three(t):\n    {CALL % 'M.REPLY + t'}\n",
            "bot/four.py": "def a(m):\n    x = []\n    x.append(m)\n"
            "def four(t):\n    x = [{'role': 'user', 'content': f'Only {t} here'}]\n"
            "    client.chat.completions.create(messages=x)\n",
        }
    )
    proposal = propose(project.root)
    assert proposal.left_out == ()
    assert {name: prompt.sources()[0][1] for name, prompt in proposal.prompts.items()} == {
        "one": "Sort the letters.{{ t }}",
        "two": "Sort the letters.Sort the letters. Reply to all.",
        "three": "Sort the letters. Reply to all.{{ t }}",
        "four": "Only {{ t }} here",
    }


def test_templates_of_langchain_are_read_as_it_reads_them(project) -> None:
    project.write(
        {
            "a.py": "import langchain\nfirst = ChatPromptTemplate([('system', 'Sort all {x}'), ('human', '{y}')])\n"
            "parts = [SystemMessagePromptTemplate.from_template('Read all {x}'), SystemMessage('Keep {x} as it is')]\n"
            "second = ChatPromptTemplate.from_messages(parts)\n"
            "head = SystemMessage(content='Leave {x} alone')\n"
            "third = ChatPromptTemplate.from_messages([head, HumanMessagePromptTemplate.from_template('Do {x}')])\n"
        }
    )
    proposal = propose(project.root, model="gpt-4o-mini")
    assert {name: [text for _, text in prompt.sources()] for name, prompt in proposal.prompts.items()} == {
        "first": ["Sort all {{ x }}", "{{ y }}"],
        "second": ["Read all {{ x }}", "Keep {x} as it is"],
        "third": ["Leave {x} alone", "Do {{ x }}"],
    }


def test_prompts_in_tables_and_lists_of_files_have_their_keys_as_names(project) -> None:
    project.write(
        {
            "prompts/set.yaml": "mail:\n  system_prompt: Sort {x} now\n  about: {description: A long text that "
            "says in more than twelve words what this prompt is for}\n"
            "more:\n- {name: first, template: 'Read {y}'}\n- {name: second, system: Be kind, user: '{z}'}\n",
            "prompts/old.jinja2": "Look at {{ it }} again",
            "prompts/kept.toml": "[mail]\ntemplate = 'Write to {whom}'\n",
            "prompts/rows.json": '["one text", "another text"]',
        }
    )
    proposal = propose(project.root, model="gpt-4o-mini")
    assert {prompt.source for prompt in proposal.prompts.values()} == {
        "prompts/set.yaml: mail.system_prompt",
        "prompts/set.yaml: more.first.template",
        "prompts/set.yaml: more.second",
        "prompts/old.jinja2",
        "prompts/kept.toml: mail.template",
    }
    (rows,) = proposal.left_out
    assert (rows.path, "list of 2" in rows.reason) == ("prompts/rows.json", True)
    write(proposal)
    assert propose(project.root, model="gpt-4o-mini").files == {}


def test_a_model_without_a_price_is_left_out_so_that_the_gate_passes(project) -> None:
    known, other = (CALL % f"f'{word} all of {{t}}'" for word in ("Sort", "Order"))
    other = other.replace("gpt-4o-mini", "our-deployment")
    project.write({"app.py": f"import openai\ndef a(t):\n    {known}\ndef b(t):\n    {other}\n"})
    proposal = propose(project.root)
    (left,) = proposal.left_out
    assert (left.path, left.line) == ("app.py", 5)
    assert "our-deployment" in left.reason
    names = sorted(path.name for path in proposal.files)
    assert names == [
        "app-a.lock.toml",
        "app-a.yaml",
        "pyproject.toml",
        "v1.j2",
    ]


def test_without_git_the_repository_is_known_by_its_folder(project, monkeypatch, tmp_path_factory) -> None:
    project.write({"app.py": PROGRAM})
    project.git("init", "-q")
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))
    proposal = propose(project.root)
    assert project.root / ".pre-commit-config.yaml" in proposal.files
    assert "git is not installed: files that it ignores were read too" in proposal.notes


def test_the_workflow_and_the_hook_are_those_of_the_docs(project) -> None:
    project.write({"app.py": PROGRAM})
    project.git("init", "-q")
    proposal = propose(project.root)
    top = Path(__file__).parents[2]
    docs = (top / "docs/budget.md").read_text()
    (shown,) = re.findall(r"```yaml\n# .github/workflows/prompt-budget.yml\n(.*?)```", docs, re.DOTALL)
    workflow = yaml.safe_load(proposal.files[project.root / ".github/workflows/prompt-budget.yml"])
    assert workflow == yaml.safe_load(re.sub(r"(actions/prompt-budget)@\S+", r"\1@main", shown))
    (wanted,) = yaml.safe_load((top / ".pre-commit-hooks.yaml").read_text())
    (repo,) = yaml.safe_load(proposal.files[project.root / ".pre-commit-config.yaml"])["repos"]
    (hook,) = repo["hooks"]
    assert repo["repo"] == "local"
    same = ("id", "name", "entry", "language", "always_run", "pass_filenames", "verbose")
    assert {key: hook[key] for key in same} == {key: wanted[key] for key in same}


LANGCHAIN_JSON = {
    "lc": 1, "type": "constructor", "id": ["langchain", "prompts", "chat", "ChatPromptTemplate"],
    "kwargs": {"input_variables": ["q"], "messages": [
        {"lc": 1, "type": "constructor", "id": ["langchain", "prompts", "chat", "SystemMessagePromptTemplate"],
         "kwargs": {"prompt": {"lc": 1, "type": "constructor", "id": ["x", "PromptTemplate"],
                               "kwargs": {"template": "Answer as {{json}} only.", "template_format": "f-string"}}}},
        {"lc": 1, "type": "constructor", "id": ["langchain", "prompts", "chat", "HumanMessagePromptTemplate"],
         "kwargs": {"prompt": {"lc": 1, "type": "constructor", "id": ["x", "PromptTemplate"],
                               "kwargs": {"template": "Q: {q}", "template_format": "f-string"}}}}]},
}  # fmt: skip
PROMPTY = """---
name: Basic
model:
  configuration: {type: azure_openai, azure_deployment: gpt-4o}
  parameters: {max_tokens: 128, temperature: 0.2}
sample:
  name: Jane
  question: What is it?
---
system:
You help {{name}}.

user:
{{question}}
"""


def test_files_of_other_tools_are_read(project) -> None:
    project.write(
        {
            "basic.prompty": PROMPTY,
            "hub/prompts/qa.json": json.dumps(LANGCHAIN_JSON),
            "data/prompts/reply.txt": "Reply to {mail} in a kind tone.\n",
            "data/prompts/code.md": 'Write {"a": 1} for the text below.\n',
            "data/prompts/README.md": "About these prompts.\n",
            "chats/prompt.json": json.dumps(
                [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "{{ x }}"}]
            ),
            "models/sum.prompt.yml": "model: openai/gpt-4o-mini\nmodelParameters: {maxTokens: 7}\n"
            "messages:\n- {role: user, content: 'Sum up {{input}}'}\ntestData:\n- {input: a text, expected: b}\n",
            "conf/prompts.yaml": "summary_prompt: Sum up {text} in one line.\nother: 1\n",
            "evals/promptfooconfig.yaml": "prompts: ['Translate {{word}} to French']\nproviders: [openai:gpt-4o-mini]\n"
            "tests: [{vars: {word: dog}, assert: [{type: equals, value: chien}]}]\n",
        }
    )
    proposal = propose(project.root, model="gpt-4o-mini")
    assert proposal.left_out == ()
    made = {os.path.relpath(path, project.root): text for path, text in proposal.files.items()}
    assert made["prompts/basic/v1.j2"].splitlines()[1:5] == [
        "---",
        "model: gpt-4o",
        "max_output_tokens: 128",
        "temperature: 0.2",
    ]
    assert "Jane" in made["suites/basic.yaml"]
    assert '{% chat role="system" %}Answer as {json} only.{% endchat %}' in made["prompts/qa/v1.j2"]
    assert "Reply to {{ mail }} in" in made["prompts/reply/v1.j2"]
    assert 'Write {"a": 1} for' in made["prompts/code/v1.j2"]
    assert "a text" in made["suites/sum.yaml"]
    assert "max_output_tokens: 7" in made["prompts/sum/v1.j2"]
    assert "Sum up {{ text }} in one line." in made["prompts/summary/v1.j2"]
    assert not any("readme" in path.lower() for path in made)
    assert any("chien" in text for path, text in made.items() if path.startswith("suites/"))


HOOKS = "repos:\n  - repo: https://example.com/x\n    rev: v1\n    hooks:\n      - id: x\n"
PROGRAM = f"{HEAD}def route(ticket, user):\n{SHAPES['system']}\n"


def run(*arguments: str, **given: Any) -> Any:
    return CliRunner().invoke(cli, ["init", *arguments], **given)


def test_it_shows_asks_writes_and_has_nothing_to_do_then(project) -> None:
    project.write({"app.py": PROGRAM, "pyproject.toml": '[project]\nname = "x"\r\nversion = "1"\r\n'})
    project.git("init", "-q")
    refused = run(input="n\n")
    assert refused.exit_code == 0
    assert "+++ b/prompts/route/v1.j2" in refused.stdout
    assert not (project.root / "prompts").exists()
    assert run(input="").exit_code == 0
    assert not (project.root / "prompts").exists()
    done = run("--yes")
    assert done.exit_code == 0, done.output
    assert (project.root / ".github/workflows/prompt-budget.yml").is_file()
    assert (
        yaml.safe_load((project.root / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"][0]["id"]
        == "prompt-budget"
    )
    assert b'version = "1"\r\n\r\n[tool.promptopt.budget]\r\n' in (project.root / "pyproject.toml").read_bytes()
    assert (project.root / "app.py").read_text() == PROGRAM
    before = {
        path: path.read_bytes() for path in project.root.rglob("*") if path.is_file() and ".git/" not in str(path)
    }
    again = run("--yes")
    assert again.exit_code == 0
    assert again.stdout.splitlines()[-1].startswith("nothing to do: ")
    assert before == {path: path.read_bytes() for path in before}
    gate = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--prompt-budget", "-p", "no:cacheprovider"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert gate.returncode == 0, gate.stdout
    assert "1 passed" in gate.stdout


def test_the_page_shows_what_is_printed(project) -> None:
    page = (Path(__file__).parents[2] / "docs" / "init.md").read_text(encoding="utf-8")
    program, shown = [*STEP.finditer(page)][:2]
    ((command, expected),) = commands(shown["block"])
    messages = [
        {"role": "system", "content": "You route support tickets."},
        {"role": "user", "content": "Ticket of Ann: Where is my parcel?"},
    ]
    usage = {"prompt_tokens": 24, "completion_tokens": 1}
    call = {"model": "gpt-4o-mini", "messages": messages, "usage": usage}
    project.write({program["file"]: program["text"], "calls.jsonl": json.dumps(call)})
    project.git("init", "-q")
    done = run(*command.split()[2:], input="n\n")
    assert re.match(as_pattern(expected).removesuffix(r"\n"), done.stdout), done.stdout


def test_cases_come_from_a_log_without_addresses(project) -> None:
    def request(text: str) -> str:
        system = "You route support tickets. Use {braces} freely."
        messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
        usage = {"prompt_tokens": 9, "completion_tokens": 1}
        return json.dumps({"model": "gpt-4o-mini", "messages": messages, "usage": usage})

    project.write(
        {"app.py": PROGRAM, "log.jsonl": "\n".join(map(request, ["My parcel", "Write to a.b@c.example", "my  parcel"]))}
    )
    proposal = propose(project.root, [project.root / "log.jsonl"])
    suite = yaml.safe_load(proposal.files[project.root / "suites/route.yaml"])
    assert [test["vars"]["ticket"] for test in suite["tests"]] == ["My parcel", "Write to [e-mail]"]
    assert proposal.unknown == ()


def test_what_is_there_stays(project) -> None:
    project.write(
        {
            "app.py": PROGRAM,
            "prompts/route/v1.j2": "---\nmodel: gpt-4o-mini\n---\nMine.\n",
            "budget.toml": 'input = "1%"\n',
            ".pre-commit-config.yaml": HOOKS,
            ".github/workflows/ci.yml": "jobs: {}  # promptopt budget check\n",
        }
    )
    project.git("init", "-q")
    made = {os.path.relpath(path, project.root): text for path, text in propose(project.root).files.items()}
    assert "prompts/app-route/v1.j2" in made
    assert "prompts/route/v1.j2" not in made
    assert "budget.toml" not in made
    assert "pyproject.toml" not in made
    assert not any(path.startswith(".github") for path in made)
    assert [each["repo"] for each in yaml.safe_load(made[".pre-commit-config.yaml"])["repos"]] == [
        "https://example.com/x",
        "local",
    ]


def test_folders_of_packages_links_large_and_broken_files_are_no_prompts(project, tmp_path_factory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "prompt.txt").write_text("Secret prompt of somebody else.")
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "source": ["%pip install openai\n", "client = 1\n", CALL % "'Sum up the notebook well'"],
            }
        ]
    }
    project.write(
        {
            "node_modules/x/app.py": PROGRAM,
            "sub/venv/pyvenv.cfg": "",
            "sub/venv/app.py": PROGRAM,
            "other/pyproject.toml": "[tool.promptopt]\n",
            "other/app.py": PROGRAM,
            "tests/test_app.py": PROGRAM,
            "old.py": "import openai\nprint 'x'\n",
            "latin.py": "# openai é\n".encode("latin-1"),
            "prompt.txt": b"\x00\x01binary",
            "prompts_old/huge.txt": "x" * 1_100_000,
            "bad.prompty": "---\na: [\n---\nuser:\nx\n",
            "lab.ipynb": json.dumps(notebook),
            "deep.py": "prompt = " + "(" * 150 + "1" + ")" * 150,
        }
    )
    (project.root / "linked").symlink_to(elsewhere, target_is_directory=True)
    (project.root / "prompt-link.txt").symlink_to(elsewhere / "prompt.txt")
    proposal = propose(project.root)
    assert {(prompt.path, name) for name, prompt in proposal.prompts.items()} == {("lab.ipynb", "lab")}
    assert {each.path for each in proposal.left_out} >= {"old.py", "latin.py", "prompts_old/huge.txt", "bad.prompty"}


def test_nothing_is_half_written(project) -> None:
    project.write({"app.py": PROGRAM, "suites": "a file where the folder would be\n"})
    done = run("--yes")
    assert done.exit_code != 0
    assert not (project.root / "prompts").exists()
    assert not (project.root / "budget.toml").exists()


def test_a_project_below_the_root_of_git_is_named_in_ci(project) -> None:
    project.git("init", "-q")
    project.write({"packages/bot/app.py": PROGRAM, "packages/bot/pyproject.toml": ""})
    proposal = propose(project.root / "packages/bot")
    workflow = yaml.safe_load(proposal.files[project.root / ".github/workflows/prompt-budget.yml"])
    (gate,) = [step for step in workflow["jobs"]["prompt-budget"]["steps"] if step.get("id") == "budget"]
    assert gate["with"] == {"working-directory": "packages/bot"}
    assert "-C packages/bot" in proposal.files[project.root / ".pre-commit-config.yaml"]
    assert project.root / "packages/bot/prompts/route/v1.j2" in proposal.files


def test_without_any_model_it_asks_for_one(project) -> None:
    project.write({"prompts_text/hello_prompt.txt": "Say hello to {name} now."})
    assert "--model" in propose(project.root).left_out[0].reason
    assert propose(project.root, model="gpt-4o").left_out == ()


def test_prompts_of_one_name_and_texts_that_are_the_same(project) -> None:
    other = PROGRAM.replace("You route", "Here you route")
    project.write({"a/x.py": PROGRAM, "b/x.py": other, "c/x.py": PROGRAM})
    proposal = propose(project.root)
    assert sorted(proposal.prompts) == ["route", "x-route"]
    assert [each.path for each in proposal.left_out] == ["c/x.py"]


def test_a_second_run_finds_nothing_whatever_the_first_left_out(project) -> None:
    route = {"messages": [{"role": "system", "content": "You route the tickets of a shop."}]}
    config = "providers: [openai:gpt-4o-mini]\nprompts: ['Name the %s of {{town}}']\ntests: [{vars: {town: Bonn}}]\n"
    project.write(
        {
            # One text in several files; configs that would have files of one name; a filter of the program's own.
            **{f"{name}/prompt.json": json.dumps(route) for name in ("a", "b", "c")},
            **{f"{name}/promptfooconfig.yaml": config % name for name in ("hill", "lake")},
            "prompts.txt": "Write {{ name | allcaps }} in big letters",
        }
    )
    first = propose(project.root, model="gpt-4o-mini")
    assert len([path for path in first.files if path.suffix == ".j2"]) == 2
    write(first)
    done = CliRunner().invoke(cli, ["budget", "check"])
    assert done.exit_code == 0, done.output
    second = propose(project.root, model="gpt-4o-mini")
    assert second.files == {}
    said = [(each.path, each.reason) for each in second.left_out]
    assert [path for path, _ in said] == ["b/prompt.json", "c/prompt.json", "lake/promptfooconfig.yaml", "prompts.txt"]
    assert "unknown filter 'allcaps'" in said[-1][1]
    assert said[2][1].endswith("is another's: bring it over by promptopt import lake/promptfooconfig.yaml -o DIR")


def test_a_name_that_has_prompt_in_another_word_says_nothing(project) -> None:
    words = "Take each letter of the shop and answer it in a kind way, please, but never promise what is not known."
    project.write({"promptfoo/notes.txt": words, "promptly/app.py": f"import openai\nWORDS = '{words}'\n"})
    assert propose(project.root, model="gpt-4o-mini").prompts == {}
    data = {"ticket-team": {"text": words}}
    project.write({"systemprompt.txt": f"One. {words}", "shop-prompts/own.json": json.dumps(data)})
    assert set(propose(project.root, model="gpt-4o-mini").prompts) == {"systemprompt", "ticket-team"}


def test_json_is_the_whole_proposal(project) -> None:
    project.write({"app.py": PROGRAM})
    data = json.loads(run("--json").stdout)
    assert {each["path"] for each in data["files"]} >= {
        "prompts/route/v1.j2",
        "suites/route.yaml",
        "prompts/route.lock.toml",
    }
    assert data["prompts"][0]["variables"] == {"ticket": "ticket"}
    assert not (project.root / "prompts").exists()
