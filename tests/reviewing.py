"""``compress --rewrite --review`` with models that give the answers of a test."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import promptopt
from promptopt.compression.by_model.rewrite import rewrite_prompt
from promptopt.compression.engine import compress_prompt
from promptopt.values import Response, Usage

WRITER = "gpt-4o-mini"
REVIEWER = "gpt-4.1"
KEPT = {"lost": [], "added": []}


def lost(words, why="one may do without"):
    return {"lost": [{"words": words, "why": why}], "added": []}


def added(words, why="nobody asked for it"):
    return {"lost": [], "added": [{"words": words, "why": why}]}


def asked(endpoint, model=REVIEWER):
    return [body for body in endpoint.requests if body["model"] == model]


def refused(done):
    """Why rewrites were not taken, as ``--json`` says it."""
    return [edit["refused"] for edit in json.loads(done.stdout)["refused"] if edit["rule"] == "rewrite"]


@dataclass
class Compress:
    """The real command. Writer and reviewer give these answers one after the other, the last one again and again."""

    project: object
    endpoint: object

    def __call__(self, prompt, rewrites, reviews, *options):
        texts = {WRITER: rewrites, REVIEWER: [one if isinstance(one, str) else json.dumps(one) for one in reviews]}
        self.endpoint.requests.clear()
        self.endpoint.reply = lambda body: texts[body["model"]][
            min(len(asked(self.endpoint, body["model"])), len(texts[body["model"]])) - 1
        ]
        self.project.write({"prompts/p/v1.j2": prompt})
        options = ("--rewrite", WRITER, "--review", REVIEWER, "--ignore", "PO1,PO2", *options)
        return self.project.run("compress", "p", *options, **self.endpoint.environment)


@dataclass
class Says:
    """A model that gives these answers one after the other, the last one again and again."""

    answers: list[str]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def complete(self, request):
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append((request.messages[1].content, answer))
        return Response(request.model, answer, usage=Usage(input_tokens=1, output_tokens=1))

    def close(self):
        pass


def rewritten(reviewer, prompt, short):
    """A prompt of which a model proposes one rewrite, again and again."""
    path = Path("p.j2")
    path.write_text(prompt)
    template = promptopt.load_prompt(path)
    compression = compress_prompt(template, "safe", ignore=("PO1", "PO2"))
    return rewrite_prompt(template, compression, WRITER, Says([short]), review="r", reviewer=reviewer)
