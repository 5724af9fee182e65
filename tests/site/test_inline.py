"""No template needs a policy that allows scripts or styles inside a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import oscar_training_credits

pytestmark = pytest.mark.any_database

PACKAGE = Path(oscar_training_credits.__file__).parent
TEMPLATES = [
    path
    for path in PACKAGE.rglob("templates/**/*.html")
    if "mail" not in path.name and "emails" not in path.parts
]
INLINE = re.compile(
    r"""\sstyle="[^"]*:|<style|<script(?![^>]*\ssrc=)|\son[a-z]+="|javascript:"""
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_inline_scripts_or_styles(path):
    assert not INLINE.findall(path.read_text())
