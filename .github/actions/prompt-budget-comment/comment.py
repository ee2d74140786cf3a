"""Posts the body that a workflow of a pull request wrote as a comment on it; one comment, updated in place.

The body comes from a run that a fork may have changed. It is only ever text: nothing in it is run, it chooses no pull
request, and it mentions nobody. Needs only the standard library.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

MARKER = "<!-- promptopt budget -->"
# A comment may have 65,536 characters.
LONGEST = 65_000
NO_CHANGE = f"{MARKER}\n### Prompt budget: passed\n\nThis pull request no longer changes what a prompt costs.\n"


def main() -> None:
    """Read the event of GitHub Actions and do what it asks for."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    run = event["workflow_run"]
    number = pull_request(run)
    if number is None:
        print("no open pull request has the commit of this run as its head: nothing to comment on")
        return
    body = read_body(Path(os.environ["BODIES"]))
    known = own_comment(number)
    if body is None and run["conclusion"] == "success" and known is not None:
        body = NO_CHANGE
    if body is None:
        print("nothing to comment on")
    elif known is None:
        call("POST", f"issues/{number}/comments", {"body": body})
        print(f"commented on #{number}")
    else:
        call("PATCH", f"issues/comments/{known}", {"body": body})
        print(f"updated the comment on #{number}")


def pull_request(run: dict[str, Any]) -> int | None:
    """The open pull request whose newest commit was checked; a fork's is not in the event."""
    owner = (run.get("head_repository") or {}).get("owner", {}).get("login")
    if not owner:
        return None
    head = quote(f"{owner}:{run['head_branch']}", safe="")
    for found in call("GET", f"pulls?state=open&per_page=100&head={head}"):
        if found["head"]["sha"] == run["head_sha"]:
            return int(found["number"])
    return None


def read_body(folder: Path) -> str | None:
    """The body that the run left; ``None`` without one."""
    files = sorted(path for path in folder.rglob("*.md") if path.is_file() and not path.is_symlink())
    if not files:
        return None
    with files[0].open(encoding="utf-8", errors="replace") as stream:
        text = stream.read(LONGEST)
    if not text.startswith(MARKER):
        sys.exit(f"{files[0].name} is not a report of the prompt budget: not posted")
    # With a space of no width nobody is mentioned.
    return re.sub(r"@(?=\w)", "@\u200b", text)


def own_comment(number: int) -> int | None:
    """The comment of an earlier run; what a person wrote is left alone, whatever it begins with."""
    for comment in pages(f"issues/{number}/comments?per_page=100"):
        if comment["user"]["type"] == "Bot" and (comment["body"] or "").startswith(MARKER):
            return int(comment["id"])
    return None


def pages(path: str) -> Iterator[dict[str, Any]]:
    """All entries of a list."""
    number = 1
    while found := call("GET", f"{path}&page={number}"):
        yield from found
        number += 1


def call(method: str, path: str, data: dict[str, Any] | None = None) -> Any:
    """Call GitHub's API for this repository."""
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    request = Request(  # noqa: S310 - the address is GitHub's own
        f"{api}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}",
        method=method,
        data=None if data is None else json.dumps(data).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - see above
            return json.load(answer)
    except HTTPError as error:
        sys.exit(
            f"GitHub answered {error.code} to {method} {path}: {error.read(500).decode('utf-8', 'replace')}\n"
            "the workflow needs `permissions: {pull-requests: write, actions: read}`"
        )


if __name__ == "__main__":
    main()
