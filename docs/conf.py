"""How Sphinx builds the pages: ``nox -s docs``, or ``sphinx-build -W docs BUILD``."""

from datetime import UTC, datetime
from importlib.metadata import version as installed_version

project = "promptopt"
author = "the promptopt authors"
copyright = f"{datetime.now(UTC):%Y}, {author}"  # noqa: A001 - Sphinx's name
release = installed_version("promptopt-llm")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
# `$schema`, `{{ review }}` and the like are shown as they are written.
myst_enable_extensions: list[str] = []
# A block whose language has no lexer here (`console` of our own, a prompt in Jinja) is text, which is not a fault.
suppress_warnings = ["misc.highlighting_failure"]

autodoc_member_order = "groupwise"
autodoc_typehints_format = "short"
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"promptopt {release}"
html_theme_options = {
    "source_repository": "https://github.com/promptopt/promptopt/",
    "source_branch": "main",
    "source_directory": "docs/",
}
