"""The history of a lock, and many small raises that add up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from guarded_project import RULES, check, commit, kinds, lock, prompt_text

from promptopt.budget.drift import log_lines
from promptopt.budget.limits import DriftLimit, parse_drift
from promptopt.config import load_config
from promptopt.errors import ConfigError, UsageError

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def dated(locked: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a commit so many days before the last one."""

    def made(days: int, message: str = "x") -> None:
        for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
            monkeypatch.setenv(name, (NOW - timedelta(days=days)).isoformat())
        commit(locked, message)

    locked.git("init", "-qb", "main")
    made(200, "Guard triage")
    return made


def raise_by(project: Any, words: int, reason: str = "needed") -> None:
    project.write({"prompts/triage/v1.j2": prompt_text(RULES + "Be kind. " * words + "\n")})
    lock(reason)


def log(since: str | None = None) -> list[str]:
    return list(log_lines(load_config(), "triage", since))


def test_the_log_has_every_change_with_its_reason_and_the_sum(locked: Any, dated: Any) -> None:
    raise_by(locked, 1, "kinder")
    dated(100, "Be kind")
    raise_by(locked, 2, "kinder\nstill")
    dated(10, "Be kinder")
    raise_by(locked, 3, "kindest")
    lines = log()
    assert [line for line in lines if not line.startswith(" ")] == [
        "not committed",
        *(line for line in lines if line.startswith("2026-")),
        "since the first lock: input 26 → 35 (+34.6%), $0.0000399 → $0.0000412 per call (+3.4%)",
    ]
    heads = [line.split("  ") for line in lines if line.startswith("2026-")]
    assert [(head[0], head[2], head[3]) for head in heads] == [
        ("2026-11-10", "t", "Be kinder"),
        ("2026-08-12", "t", "Be kind"),
        ("2026-05-04", "t", "Guard triage"),
    ]
    assert [line.strip() for line in lines if "reason:" in line] == [
        "reason: kindest",
        "reason: kinder still",
        "reason: kinder",
    ]


@pytest.mark.parametrize(("since", "share"), [("2026-08-01", "+34.6%"), ("2026-09-01", "+20.7%"), ("v1", "+20.7%")])
def test_the_drift_since_a_date_or_a_tag(locked: Any, dated: Any, since: str, share: str) -> None:
    raise_by(locked, 1)
    dated(100)
    locked.git("tag", "v1")
    raise_by(locked, 3)
    dated(10)
    assert f"({share})" in log(since)[-1]
    with pytest.raises(UsageError, match="'nothing' is neither a date, as in 2026-11-01, nor a commit or tag"):
        log("nothing")


def test_a_renamed_lock_keeps_its_history(locked: Any, dated: Any) -> None:
    raise_by(locked, 1, "kinder")
    dated(100)
    for path in ("prompts/triage", "prompts/triage.lock.toml", "suites/triage.yaml"):
        locked.git("mv", path, path.replace("triage", "router"))
    lock()
    dated(50)
    lines = list(log_lines(load_config(), "router"))
    assert sum(line.startswith("2026-") for line in lines) == 3
    assert lines[-1].startswith("since the first lock: input 26 → ")


def test_a_prompt_that_was_never_locked_has_no_log(locked: Any) -> None:
    with pytest.raises(UsageError, match="'other' has no lock, and git knows none"):
        list(log_lines(load_config(), "other"))
    # Without git there is the lock itself.
    assert log()[0] == "not committed"


def limited(project: Any, text: str, where: str = "tool.promptopt.budget") -> None:
    project.write({"pyproject.toml": f'[{where}]\ndrift = "{text}"\n'})


@pytest.mark.parametrize(
    ("limit", "level"),
    [("20% / 90d", "error"), ("warn 20% / 90d", "warn"), ("40% / 90d", None), ("20% / 30 days", None), ("off", None)],
)
def test_small_raises_that_were_all_accepted_add_up(locked: Any, dated: Any, limit: str, level: str | None) -> None:
    for days, words in ((80, 1), (60, 2), (40, 3)):
        raise_by(locked, words)
        dated(days, f"{words} more")
    dated_now = locked.root / "other.txt"
    dated_now.write_text("x")
    dated(0)
    limited(locked, limit)
    result = check()["triage"]
    assert kinds(result) == ([] if level is None else [("drift", "input", level)])
    if level == "error":
        (finding,) = result.findings
        assert finding.summary.startswith("drift: input 26 → 35 (+34.6%)")
        assert "since 2026-05-04, in 3 changes of the lock  limit: 20% / 90d" in finding.summary
        assert "promptopt budget log triage" in result.text


def test_a_limit_of_a_prompt_or_group_is_before_that_of_all(locked: Any, dated: Any) -> None:
    raise_by(locked, 3)
    dated(5)
    limited(locked, "20% / 90d", 'tool.promptopt.budget.prompt."triage"')
    assert [kind for kind, *_ in kinds(check()["triage"])] == ["drift"]
    both = '[tool.promptopt.budget]\ndrift = "20% / 90d"\n[tool.promptopt.budget.group."tri*"]\ndrift = "off"\n'
    locked.write({"pyproject.toml": both})
    assert kinds(check()["triage"]) == []


def test_what_fell_before_is_not_a_drift(locked: Any, dated: Any) -> None:
    raise_by(locked, 6)
    dated(150)
    raise_by(locked, 1)
    dated(20)
    limited(locked, "0% / 90d")
    assert kinds(check()["triage"]) == []


def test_a_shallow_clone_cannot_assess_a_drift(locked: Any, dated: Any, tmp_path_factory: Any) -> None:
    raise_by(locked, 3)
    limited(locked, "20% / 90d")
    dated(0)
    clone = tmp_path_factory.mktemp("clone") / "project"
    locked.git("clone", "-q", "--depth=1", f"file://{locked.root}", str(clone))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone)
        (finding,) = check()["triage"].findings
    assert (finding.kind, finding.level) == ("drift", "warn")
    assert "not assessable, because this clone lacks the commits of the last 90 days" in finding.summary


@pytest.mark.parametrize("text", ["20%", "20 / 90d", "20% / 0d", "20% / d", "-1% / 3d", ""])
def test_a_drift_that_is_not_one_is_an_error_with_its_line(locked: Any, text: str) -> None:
    limited(locked, text)
    with pytest.raises(ConfigError, match=r'pyproject.toml:2: drift = .*write "20% / 90d"'):
        check()


def test_a_drift_as_it_is_written() -> None:
    assert parse_drift("warn: 2.5% / 7 days") == DriftLimit("warn", parse_drift("2.5%/7d").share, 7, "2.5% / 7 days")
    assert (parse_drift("2.5%/7d").share * 1000, parse_drift("off").level) == (25, "off")
