"""Sphinx settings; `make docs` builds the manual and treats warnings as errors."""

import re
from pathlib import Path

_package = Path(__file__).parent.parent / "oscar_training_credits" / "__init__.py"

project = "oscar_training_credits"
author = "The oscar_training_credits developers"
copyright = f"2026, {author}"
release = re.search(r'__version__ = "(.+?)"', _package.read_text())[1]
version = release

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"{project} {release}"
