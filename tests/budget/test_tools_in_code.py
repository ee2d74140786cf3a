"""Tools that are Python functions: a longer signature or docstring makes every call cost more."""

from typing import Any

from guarded_project import commit, prompt_text

TOOL = 'def find_order(number: str) -> str:\n    """Find an order."""\n    return number\n'


def test_a_longer_docstring_is_this_branchs_growth_and_is_on_the_bill(guarded: Any) -> None:
    tools = "tools: ['desk.orders:find_order']\nmax_output"
    guarded.write({"prompts/triage/v1.j2": prompt_text().replace("max_output", tools, 1), "desk/orders.py": TOOL})
    assert guarded.run("budget", "update").returncode == 0
    guarded.git("init", "-qb", "main")
    commit(guarded)
    guarded.git("checkout", "-qb", "topic")
    guarded.write({"desk/orders.py": TOOL.replace("an order", "an order of the last two years by its number")})
    commit(guarded)
    done = guarded.run("budget", "check")
    assert done.returncode == 1
    assert "FAIL triage [refund]  input" in done.stdout
    assert "      schema: +8 tokens" in done.stdout
    # On main already, it is not the growth of a branch that changes no code.
    guarded.git("branch", "-f", "main")
    guarded.write({"prompts/other.j2": "Hello\n"})
    commit(guarded)
    done = guarded.run("budget", "check")
    assert done.returncode == 0
    assert "WARN triage [refund]  input" in done.stdout
