"""The files that bring a repository under the gate, tried out before they are shown."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from shutil import which
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from promptopt.config import Config, load_config, using_config
from promptopt.errors import InputError, PromptoptError
from promptopt.onboarding.carried import with_price
from promptopt.onboarding.found import FoundPrompt, Hole, LeftOut, slug
from promptopt.onboarding.repository import Repository, git_root, read_repository

if TYPE_CHECKING:
    from promptopt.budget.guarded_prompt import GuardedPrompt
    from promptopt.budget.update import Draft

INSTALL = "promptopt-llm @ git+https://github.com/promptopt/promptopt@main"
# Names of functions and constants that say nothing of what a prompt is for.
_GENERIC = re.compile(
    "main|run|call|init|module|chat|ask|complete|generate|get-response|handler?|invoke|execute|process|answer|prompt|"
    "template|from-template|from-messages|prompt-template|messages|(system|user)(-prompt|-message)?|.{0,2}"
)
_KIND = re.compile("_?(PROMPT|TEMPLATE)$", re.IGNORECASE)
_MARK = "{{# from {source} #}}\n"
_LIMITS = (
    "# Limits of what prompts cost: https://github.com/promptopt/promptopt/blob/main/docs/budget.md\n"
    'input = "5% & 20"  # fails if a prompt grows by more than 5% and by more than 20 tokens\n'
    'output = "warn 10% & 5 tokens"\n'
)


@dataclass(frozen=True, slots=True)
class CallSite:
    """What to change in the program, by hand.

    Attributes:
        name: The prompt that is sent from here now.
        code: What takes the place of the call.
    """

    path: str
    line: int
    name: str
    code: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What ``promptopt init`` would write.

    Attributes:
        files: The new text of each file by its absolute path.
        before: What is in those that are there already.
        calls: Places of the program to change by hand.
        unknown: Prompts with variables of which no values are known; their case has empty ones.
        notes: What else a reader must know, a line each.
    """

    root: Path
    files: Mapping[Path, str]
    before: Mapping[Path, str]
    prompts: Mapping[str, FoundPrompt]
    calls: tuple[CallSite, ...]
    left_out: tuple[LeftOut, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]
    read: int


def propose(
    root: Path, logs: Sequence[Path] = (), *, model: str | None = None, ci: bool = True, hook: bool = True
) -> Proposal:
    """Find what a repository has, and make the files that are missing. Nothing is written.

    Args:
        logs: Request logs, from which the first cases are drawn.
        model: Of prompts whose model the program does not name [default: the one that most of the others name].
        ci: Propose a workflow of GitHub Actions.
        hook: Propose a hook of pre-commit.

    Raises:
        PromptoptError: A file of the project, or a log, cannot be used.
    """
    config = replace_root(load_config(root), root)
    repository = read_repository(root, (config.suites,), config.prompts)
    named, left_out = _named(repository, config)
    named, assumed = _with_models(named, config, model, left_out)
    named = {name: with_price(prompt, config) for name, prompt in named.items()}
    cases, notes = _cases(named, logs)
    notes = [*assumed, *notes]
    files: dict[Path, str] = {}
    unknown = []
    for name, prompt in named.items():
        files[config.prompts / name / "v1.j2"] = prompt_text(prompt)
        rows = [*cases.get(name, ()), *prompt.cases]
        if prompt.variables() and not rows:
            unknown.append(name)
        files[config.suites / f"{name}.yaml"] = suite_text(prompt, rows)
    files |= _promptfoo(repository, config, files, left_out)
    files, dropped = _tried(config, files, named)
    left_out += dropped
    settings, said = _settings_files(root, ci=ci, hook=hook, any_prompt=bool(files) or config.prompts.is_dir())
    files |= settings
    before = {path: path.read_text(encoding="utf-8") for path in files if path.is_file()}
    files = {path: text for path, text in files.items() if before.get(path) != text}
    kept = {name: prompt for name, prompt in named.items() if config.prompts / name / "v1.j2" in files}
    calls = tuple(
        CallSite(prompt.path, prompt.line, name, call_code(name, prompt))
        for name, prompt in kept.items()
        if prompt.call
    )
    unknown = [name for name in unknown if name in kept]
    notes += [f"{p.path}:{p.line}: {note}" for p in kept.values() for note in p.notes]
    return Proposal(
        root, files, before, kept, calls, tuple(left_out), tuple(unknown), (*notes, *said), repository.files
    )


def replace_root(config: Config, root: Path) -> Config:
    """The configuration of a folder that has no pyproject.toml of its own: that of no folder above."""
    if config.root == root:
        return config
    return Config(root=root, prompts=root / "prompts", suites=root / "suites")


def _named(repository: Repository, config: Config) -> tuple[dict[str, FoundPrompt], list[LeftOut]]:
    """The new prompts by name; what an earlier run carried over keeps its name and is no find."""
    known = _known(config)
    named: dict[str, FoundPrompt] = {}
    left_out = list(repository.left_out)
    # What has the text of a prompt that an earlier run carried over is no find either.
    texts = {_own_text(each): known[each.source] for each in repository.prompts if each.source in known}
    for prompt in repository.prompts:
        if prompt.source in known:
            continue
        for name in _names(prompt):
            if (
                name not in named
                and not (config.prompts / name).exists()
                and not (config.suites / f"{name}.yaml").exists()
            ):
                break
        text = _own_text(prompt)
        if text in texts:
            left_out.append(LeftOut(prompt.path, prompt.line, f"has the text of {texts[text]}, which is carried over"))
            continue
        texts[text] = name
        named[name] = prompt
    return named, left_out


def _own_text(prompt: FoundPrompt) -> str:
    """A prompt's file without the place that it is from."""
    return prompt_text(prompt).partition("\n")[2]


def _with_models(
    named: Mapping[str, FoundPrompt], config: Config, model: str | None, left_out: list[LeftOut]
) -> tuple[dict[str, FoundPrompt], list[str]]:
    """The prompts with a model each: tokens are those of a model. Without any they are left out."""
    if model is None and config.model is not None:
        return dict(named), []
    known = [str(prompt.settings["model"]) for prompt in named.values() if "model" in prompt.settings]
    chosen = model or max(known, key=known.count, default=None)
    made: dict[str, FoundPrompt] = {}
    assumed = []
    for name, prompt in named.items():
        if "model" in prompt.settings:
            made[name] = prompt
        elif chosen is None:
            left_out.append(LeftOut(prompt.path, prompt.line, "names no model: say which with --model"))
        else:
            assumed.append(name)
            made[name] = replace(prompt, settings={"model": chosen, **prompt.settings})
    said = "" if model else ", as most of the others name it"
    notes = [f"{', '.join(assumed)}: no model is known; {chosen} is written{said}"] if assumed else []
    return made, notes


def _known(config: Config) -> dict[str, str]:
    """Where the prompts of the prompts folder are from, as their first lines say, with their names."""
    found = {}
    for path in sorted(config.prompts.rglob("*.j2")) if config.prompts.is_dir() else ():
        try:
            with path.open(encoding="utf-8") as file:
                if match := re.match(r"\{# from (.*) #\}$", file.readline().rstrip("\n")):
                    found[match[1]] = path.parent.relative_to(config.prompts).as_posix()
        except (OSError, UnicodeDecodeError):
            continue
    return found


def _names(prompt: FoundPrompt) -> Iterator[str]:
    """Names for a prompt, the best one first."""
    pure = PurePosixPath(prompt.path.removesuffix(".prompt.yml").removesuffix(".prompt.yaml"))
    parts = [slug(part) for part in pure.with_suffix("").parts]
    where = prompt.where
    # In data, `ticket-team.text` is the text of what has the name.
    where = where.removesuffix(".text").removesuffix(".content") if not prompt.call else where
    last = slug(_KIND.sub("", where.rpartition(".")[2]) or where)
    names = [] if _GENERIC.fullmatch(last) else [last]
    stem = [part for part in parts if part and part not in ("init", "prompts", "prompt", "src")]
    for depth in range(1, len(stem) + 1):
        joined = "-".join(stem[-depth:])
        names += [f"{joined}-{last}" if last and last != "module" else joined]
    base = names[0] if names else "prompt"
    yield from (name for name in names if name)
    yield from (f"{base}-{number}" for number in range(2, 10_000))


def prompt_text(prompt: FoundPrompt) -> str:
    """A prompt's file."""
    source = prompt.source.replace("#}", "# }").replace("\n", " ")
    head = _MARK.format(source=source)
    settings = dict(prompt.settings)
    front = f"---\n{yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)}---\n" if settings else ""
    blocks = [f'{{% chat role="{role}" %}}{text.strip()}{{% endchat %}}\n' for role, text in prompt.sources()]
    return head + front + "".join(blocks)


def suite_text(prompt: FoundPrompt, cases: Sequence[Mapping[str, Any]]) -> str:
    """A suite: the cases that are known, else one that says that none is."""
    names = list(prompt.variables()) if not any(message.jinja for message in prompt.messages) else _jinja_names(prompt)
    if cases:
        tests = [
            {"description": f"{_described(case)} {number}".strip(), "vars": dict(case)}
            for number, case in enumerate(cases, 1)
        ]
        head = f"# Cases of {prompt.path}. Say with `assert` what a good answer is.\n"
    elif names:
        tests = [{"description": "the prompt alone", "vars": dict.fromkeys(names, "")}]
        head = (
            "# No cases are known: write them here. Until then the one below has empty variables, so that the gate\n"
            "# counts the prompt's own text and nothing else.\n"
        )
    else:
        tests = [{"description": "the prompt alone"}]
        head = "# The prompt has no variables. Say with `assert` what a good answer is.\n"
    return head + yaml.safe_dump({"tests": tests}, sort_keys=False, allow_unicode=True, width=120)


def _jinja_names(prompt: FoundPrompt) -> list[str]:
    from jinja2 import Environment, TemplateSyntaxError, meta

    try:
        parsed = Environment(autoescape=False).parse("\n".join(text for _, text in prompt.sources()))  # noqa: S701 - prompts
        found = meta.find_undeclared_variables(parsed)
    except TemplateSyntaxError:
        # A filter of the program's own too; trying the file out says which.
        return []
    return sorted({*found, *prompt.variables()})


def _described(case: Mapping[str, Any]) -> str:
    """The first words of a case, on one line."""
    text = next((value for value in case.values() if isinstance(value, str) and value.strip()), "case")
    return " ".join(re.findall(r"\w+", text)[:4]).lower()[:40]


def call_code(name: str, prompt: FoundPrompt) -> str:
    """What the program has in the place of a call: it runs as it is if `promptopt` is imported."""
    given = ", ".join(f"{variable!r}: {code}" for variable, code in prompt.variables().items())
    rendered = f"promptopt.render({name!r}, {{{given}}})"
    rest = "".join(f", {argument}" for argument in prompt.rest)
    model = prompt.model_code
    match prompt.call:
        case "openai" | "anthropic" | "responses" | "google":
            if prompt.call == "anthropic" and (own := [each for each in prompt.rest if each.startswith("max_tokens=")]):
                # Its arguments have a cap in any case, and no argument is given twice.
                model, rest = f"{model}) | dict({own[0]}", rest.replace(f", {own[0]}", "", 1)
            return f"{prompt.function}(**{rendered}.{prompt.call}({model}){rest})"
        case "body":
            given = "".join(f", {key!r}: {code}" for key, _, code in (each.partition("=") for each in prompt.rest))
            return f"{{**{rendered}.openai({model}){given}}}" if given else f"{rendered}.openai({model})"
        case "text":
            return f"{prompt.function}(prompt={rendered}.text{f', model={model}' if model else ''}{rest})"
        case "messages":
            return f"[(message.role, message.content) for message in {rendered}.messages]"
        case "text function":
            return f"return {rendered}.text"
        case "chat":
            return f'return {rendered}.openai()["messages"]'
    name = prompt.where.rpartition(".")[2]
    return f"{name} = {rendered}.text" if not prompt.variables() else f"{rendered}.text"


def _promptfoo(
    repository: Repository, config: Config, others: Mapping[Path, str], left_out: list[LeftOut]
) -> dict[Path, str]:
    """Prompts and suites of promptfoo's configs, as ``promptopt import`` writes them."""
    from promptopt.promptfoo import read_evaluation
    from promptopt.promptfoo.export import write_project
    from promptopt.promptfoo.moved import printed_otherwise

    files: dict[Path, str] = {}
    known = set(others)
    for path in repository.configs:
        with TemporaryDirectory() as folder:
            try:
                evaluation = read_evaluation(repository.root / path, models=(), datasets={})
                write_project(evaluation, Path(folder))
                otherwise = printed_otherwise(evaluation)
            except (PromptoptError, OSError) as error:
                left_out.append(LeftOut(path, 1, " ".join(str(error).split())))
                continue
            if otherwise:
                left_out.append(LeftOut(path, 1, f"{otherwise[0]}: see promptopt import {path} -o DIR"))
                continue
            left_out += [LeftOut(path, n.line or 1, n.message) for n in evaluation.notes if n.kind == "left out"]
            texts = {
                config.root / made.relative_to(folder): made.read_text(encoding="utf-8")
                for made in sorted(Path(folder).rglob("*"))
                if made.is_file() and made.suffix in (".j2", ".yaml")
            }
        there = all(target.exists() for target in texts)
        # Half of a config, beside files of that name of another one, would be something else than either.
        taken = next((each for each in texts if each in known or (each.exists() and not there)), None)
        known |= texts.keys()
        if taken is not None:
            shown = taken.relative_to(config.root).as_posix()
            left_out.append(LeftOut(path, 1, f"{shown} is another's: bring it over by promptopt import {path} -o DIR"))
            continue
        files |= {} if there else texts
    return files


def _cases(named: Mapping[str, FoundPrompt], logs: Sequence[Path]) -> tuple[dict[str, list[dict[str, str]]], list[str]]:
    if not logs:
        return {}, []
    from promptopt.onboarding.cases import cases_of

    return cases_of(named, logs)


def _tried(
    config: Config, files: Mapping[Path, str], named: Mapping[str, FoundPrompt]
) -> tuple[dict[Path, str], list[LeftOut]]:
    """The files that work, with the locks that they give: rendered, locked and checked in a folder of their own."""
    from promptopt.budget.discovery import discover

    kept = dict(files)
    dropped: list[LeftOut] = []
    with TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        for path, text in files.items():
            target = root / path.relative_to(config.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        trial = replace(
            config,
            root=root,
            prompts=root / _below(config, config.prompts),
            suites=root / _below(config, config.suites),
        )
        with using_config(trial):
            for name, prompt in named.items():
                if problem := _problem(name, prompt, trial):
                    dropped.append(LeftOut(prompt.path, prompt.line, problem))
                    for path in (trial.prompts / name / "v1.j2", trial.suites / f"{name}.yaml"):
                        kept.pop(config.root / path.relative_to(root), None)
                        path.unlink()
            if any(path.suffix == ".j2" for path in kept):
                for guarded, draft, failed in _drafted(discover(trial).guarded):
                    if failed is not None:
                        # A model without a price, as of a deployment's own name: the gate would fail at once.
                        where = named.get(guarded)
                        place = (where.path, where.line) if where else (guarded, 1)
                        dropped.append(LeftOut(*place, _said(failed, root)))
                        kept = {each: text for each, text in kept.items() if not _belongs(each, guarded, config)}
                    elif draft is not None and draft.lock is not None:
                        kept[config.root / draft.path.relative_to(root)] = draft.lock.text()
    return kept, dropped


def _drafted(
    guarded: Mapping[str, GuardedPrompt],
) -> Iterator[tuple[str, Draft | None, PromptoptError | None]]:
    """The lock of each prompt, or why there is none: all at once, and one by one only if one of them fails."""
    from promptopt.budget.update import draft_updates

    try:
        drafts = draft_updates({name: (prompt, None) for name, prompt in guarded.items()}, "")
    except PromptoptError:
        for name, prompt in guarded.items():
            try:
                yield from ((name, draft, None) for draft in draft_updates({name: (prompt, None)}, ""))
            except PromptoptError as error:
                yield name, None, error
    else:
        yield from ((draft.path.name.removesuffix(".lock.toml"), draft, None) for draft in drafts)


def _belongs(path: Path, name: str, config: Config) -> bool:
    """Whether a file is of this prompt."""
    return path == config.suites / f"{name}.yaml" or path.is_relative_to(config.prompts / name)


def _said(error: PromptoptError, root: Path) -> str:
    """What is wrong, without the place in a file of the trial, which nobody will see."""
    text = str(error)
    path = root / error.path if isinstance(error, InputError) and error.path is not None else None
    if isinstance(error, InputError) and path is not None and path.is_relative_to(root) and path.exists():
        text = f"{error.message}\n{error.remedy or ''}"
    return " ".join(text.replace(f"{root}/", "").split())


def _below(config: Config, folder: Path) -> Path:
    return folder.relative_to(config.root)


def _problem(name: str, prompt: FoundPrompt, trial: Config) -> str:
    """Why a prompt's file is not what the program sends; empty if it is, with a mark in the place of each variable."""
    from promptopt.suites import load_suite
    from promptopt.templates import load_prompt

    try:
        template = load_prompt(trial.prompts / name / "v1.j2", config=trial)
        load_suite(name, config=trial)
        if any(message.jinja for message in prompt.messages):
            return ""
        marks = {variable: f"<{number}>" for number, variable in enumerate(prompt.variables())}
        rendered = template.render(marks)
    except PromptoptError as error:
        return _said(error, trial.root)
    code = {prompt.variables()[variable]: mark for variable, mark in marks.items()}
    sent = [
        (message.role, "".join(code[part.code] if isinstance(part, Hole) else part for part in message.text).strip())
        for message in prompt.messages
    ]
    if [(message.role, message.content.strip()) for message in rendered.messages] != sent:
        return "is printed otherwise by Jinja than by the program: carry it over by hand"
    return ""


def _settings_files(root: Path, *, ci: bool, hook: bool, any_prompt: bool) -> tuple[dict[Path, str], list[str]]:
    """Limits, a workflow and a hook, if they are not there."""
    if not any_prompt:
        return {}, []
    files: dict[Path, str] = {}
    notes: list[str] = []
    limits, text = _limits(root, notes)
    if text is not None:
        files[limits] = text
    top = git_root(root)
    if top is not None:
        where = root.resolve().relative_to(top.resolve()).as_posix()
        if ci:
            files |= _workflow(top, where, notes)
        if hook:
            files |= _hook(top, where, notes)
    elif ci or hook:
        notes.append("this is not a git repository: no CI file and no hook are proposed")
    if which("git") is None:
        notes.append("git is not installed: files that it ignores were read too")
    return files, notes


def _limits(root: Path, notes: list[str]) -> tuple[Path, str | None]:
    project, own = root / "pyproject.toml", root / "budget.toml"
    if own.exists():
        return own, None
    if not project.exists():
        # A new pyproject.toml would change how pip builds the project.
        return own, _LIMITS
    data = project.read_bytes()
    text = data.decode("utf-8")
    tool = tomllib.loads(text).get("tool", {}).get("promptopt", {})
    if "budget" in tool:
        return project, None
    end = "\r\n" if b"\r\n" in data else "\n"
    added = f"[tool.promptopt.budget]\n{_LIMITS}"
    text = f"{text.rstrip()}{end * 2 if text.strip() else ''}{added.replace(chr(10), end)}"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        notes.append(f"pyproject.toml: its table [tool] is written inline; add by hand:\n{added}")
        return project, None
    return project, text


def _workflow(top: Path, where: str, notes: list[str]) -> dict[Path, str]:
    folder = top / ".github" / "workflows"
    if any(_mentions(path) for pattern in ("*.yml", "*.yaml") for path in sorted(folder.glob(pattern))):
        return {}
    if (top / ".gitlab-ci.yml").exists():
        steps = "promptopt budget check"
        notes.append(f'.gitlab-ci.yml: add a job by hand, with the steps\n    pip install "{INSTALL}"\n    {steps}')
        return {}
    directory = "" if where == "." else f"\n      with: {{working-directory: {where!r}}}"
    text = f"""name: Prompt budget
on: pull_request
permissions: {{contents: read}}
jobs:
  prompt-budget:
    runs-on: ubuntu-latest
    steps:
    - uses: actions/checkout@v5
    - uses: actions/setup-python@v6
      with: {{python-version: "3.12", cache: pip, cache-dependency-path: .github/workflows/prompt-budget.yml}}
    - uses: promptopt/promptopt/.github/actions/prompt-budget@main
      id: budget{directory}
    - if: always() && steps.budget.outputs.comment != ''
      uses: actions/upload-artifact@v4
      with: {{name: prompt-budget, path: "${{{{ steps.budget.outputs.comment }}}}"}}
"""
    return {folder / "prompt-budget.yml": text}


def _hook(top: Path, where: str, notes: list[str]) -> dict[Path, str]:
    path = top / ".pre-commit-config.yaml"
    directory = "" if where == "." else f" -C {where}"
    hook = f"""- repo: local
  hooks:
  - id: prompt-budget
    name: prompt budget
    entry: promptopt budget check{directory}
    language: python
    additional_dependencies: ["{INSTALL}"]
    always_run: true
    pass_filenames: false
    verbose: true
"""
    if not path.exists():
        return {path: f"repos:\n{hook}"}
    if _mentions(path):
        return {}
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"^([ ]*)- repo:", text, re.MULTILINE)
    indent = found[-1] if found else ""
    made = text.rstrip() + "\n" + "".join(f"{indent}{line}\n" for line in hook.splitlines())
    try:
        before, after = yaml.safe_load(text), yaml.safe_load(made)
    except yaml.YAMLError:
        after = None
    wanted = yaml.safe_load(hook)[0]
    if not isinstance(after, dict) or after != {**before, "repos": [*before.get("repos", []), wanted]}:
        notes.append(f".pre-commit-config.yaml: its list of repos is not at the end; add by hand:\n{hook}")
        return {}
    return {path: made}


def _mentions(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return "prompt-budget" in text or "promptopt" in text
