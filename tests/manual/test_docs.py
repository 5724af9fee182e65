"""The manual says what the code does: no name is missing, and none is too many."""

from __future__ import annotations

import argparse
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class
from django.core.management.base import DjangoHelpFormatter
from django.dispatch import Signal

from oscar_training_credits import api, signals
from oscar_training_credits.backoffice.problems import KINDS
from oscar_training_credits.backoffice.schema import description
from oscar_training_credits.conf import PREFIX, Settings
from oscar_training_credits.credits import terms as terms_of_training
from oscar_training_credits.credits.codes import history, issuing
from oscar_training_credits.credits.codes.refusals import Reason
from oscar_training_credits.credits.ledger import cutting
from oscar_training_credits.credits.models import EventType, Scope
from oscar_training_credits.rest import loading as rest
from oscar_training_credits.shop.loading import MIXINS
from oscar_training_credits.templatetags.training_credits import register

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PACKAGE = ROOT / "oscar_training_credits"
TEMPLATES = PACKAGE / "templates"
WRITTEN_BY_HAND = (
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "Makefile", "tox.ini")),
    *(
        path
        for folder in ("docs", "oscar_training_credits", "sandbox", "scripts", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".css", ".html", ".js", ".md", ".py", ".txt"}
        and not {"_build", "static_root", "media"} & {*path.parts}
    ),
)
COMMANDS = sorted(
    path.stem
    for path in (PACKAGE / "management" / "commands").glob("*.py")
    if not path.stem.startswith("_")
)
KEYWORDS = {
    f"Unpack[{each.__name__}]": list(each.__annotations__)
    for each in (
        cutting.ChildTerms,
        history.Record,
        issuing.Restrictions,
        terms_of_training.TermsGiven,
    )
}
KEPT_OUT = ["/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/", "files.python" + "hosted"]


def reference(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text(encoding="utf-8")


def terms(text: str) -> list[str]:
    """Return the names that a document defines, each above a line with a colon."""
    return re.findall(r"^`([\w.]+).*`\n: ", text, re.MULTILINE)


def section(text: str, heading: str) -> str:
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def arguments_of(function: Any) -> list[str]:
    """Return the names of a function's arguments, and those behind its `**keywords`."""
    names = []
    for name, argument in inspect.signature(function).parameters.items():
        keywords = argument.kind is argument.VAR_KEYWORD
        names += KEYWORDS[argument.annotation] if keywords else [name]
    return names


def python_blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_every_setting_is_documented_and_no_other():
    settings = {
        PREFIX + name
        for name, _ in inspect.getmembers(
            Settings, lambda member: isinstance(member, property)
        )
    }

    headings = re.findall(r"^## (\w+)$", reference("settings"), re.MULTILINE)

    assert sorted(headings) == sorted(settings)


@pytest.mark.parametrize(
    "name", [name for name in vars(Settings) if name.isupper() and name != "CODE_KEYS"]
)
def test_the_default_of_a_setting_is_documented(name, settings):
    if hasattr(settings, PREFIX + name):
        delattr(settings, PREFIX + name)
    default = getattr(Settings(), name)

    text = section(reference("settings"), PREFIX + name)

    is_list = isinstance(default, list) and all(isinstance(x, int) for x in default)
    if default is None or isinstance(default, int) or (default and is_list):
        assert f"Default: `{default}`" in text
        return
    for value in [default] if isinstance(default, str) else default:
        assert f'"{value}"' in text


def test_every_check_is_documented_and_no_other():
    sources = [PACKAGE / "checks.py", *PACKAGE.glob("*/checks.py")]
    ids = {
        f"training_credits.{number}"
        for source in sources
        for number in re.findall(r"[\".]([EIW]\d{3})\"", source.read_text())
    }

    assert sorted(terms(reference("checks"))) == sorted(ids)


def test_every_signal_is_documented_and_no_other():
    sent = [name for name, _ in inspect.getmembers(signals, is_signal)]

    headings = re.findall(r"^## (\w+)$", reference("signals"), re.MULTILINE)

    assert sorted(headings) == sorted(sent)


def is_signal(member: object) -> bool:
    return isinstance(member, Signal)


def test_every_template_tag_is_documented_and_no_other():
    tags = [*register.tags, *register.filters]

    assert sorted(terms(reference("template-tags"))) == sorted(tags)


def test_every_name_of_the_api_is_documented_and_no_other():
    assert sorted(terms(reference("api"))) == sorted(api.__all__)


def test_every_reason_is_documented():
    documented = reference("api")

    assert [reason for reason in Reason if f"`{reason.name}`" not in documented] == []


@pytest.mark.parametrize(
    ("page", "mixins"), [("mixins", MIXINS), ("django-oscar-api", rest.MIXINS)]
)
def test_every_mixin_is_documented_beside_its_class_and_no_other(page, mixins):
    rows = re.findall(r"^\| `([\w.]+)` \| `([\w.]+)` \|", reference(page), re.M)

    assert sorted(rows) == sorted(
        (f"{module}.{name}", mixin) for (module, name), mixin in mixins.items()
    )


def test_every_template_is_documented_and_no_other():
    templates = [
        path.relative_to(TEMPLATES).as_posix()
        for path in TEMPLATES.rglob("*")
        if path.is_file()
    ]

    documented = re.findall(r"^\| `(\S+)` \|", reference("templates"), re.MULTILINE)

    assert sorted(documented) == sorted(templates)


@pytest.mark.parametrize(
    "template", sorted(TEMPLATES.glob("oscar/**/*.*")), ids=lambda path: path.name
)
def test_every_block_that_is_filled_is_documented(template):
    blocks = re.findall(r"{% block (\w+)", template.read_text())
    path = template.relative_to(TEMPLATES).as_posix()

    row = re.search(rf"^\| `{path}` \| (.*) \|$", reference("templates"), re.MULTILINE)

    assert row
    assert [block for block in blocks if f"`{block}`" not in row[1]] == []


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_text(reason):
    text = TEMPLATES / f"training_credits/refusals/{reason.public.value}.txt"

    assert text.is_file()


def test_no_text_is_left_over():
    texts = {path.stem for path in TEMPLATES.glob("training_credits/refusals/*.txt")}

    assert texts == {reason.public.value for reason in Reason}


def options_of(command: str) -> list[str]:
    parser = load_command_class("oscar_training_credits", command).create_parser(
        "manage.py", command
    )
    own = [action for action in parser._actions if action.option_strings]
    return [action.option_strings[-1] for action in own if not is_djangos(action)]


def is_djangos(action: argparse.Action) -> bool:
    options = {*DjangoHelpFormatter.show_last, "-h", "--no-input"}
    return not options.isdisjoint(action.option_strings)


def test_every_option_of_the_command_is_documented_and_no_other():
    staff = (DOCS / "staff.md").read_text(encoding="utf-8")

    documented = re.findall(r"^\| `(--[\w-]+)` \|", staff, re.MULTILINE)

    assert sorted(documented) == sorted(options_of("issue_credit_codes"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_every_command_is_in_the_manual(command):
    manual = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))

    assert f"`{command}" in manual or f"manage.py {command}" in manual
    assert [each for each in options_of(command) if each not in manual] == []


def test_every_argument_of_the_api_is_documented():
    names = {
        name
        for function in map(api.__dict__.get, api.__all__)
        if inspect.isfunction(function)
        for name in arguments_of(function)
    }

    text = reference("api")

    assert sorted(name for name in names if not re.search(rf"\b{name}\b", text)) == []


def test_every_call_of_the_api_for_back_offices_is_documented_and_no_other():
    described = {
        f"{method.upper()} {path[1:]}"
        for path, methods in description()["paths"].items()
        for method in methods
    }

    text = (DOCS / "back-offices.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([A-Z]+ \S+)` \|", text, re.MULTILINE)

    assert sorted(documented) == sorted({*described, "GET schema/"})


def test_every_scope_and_problem_is_documented_and_no_other():
    scopes = [(scope.value, str(scope.label)) for scope in Scope]
    problems = [
        (kind.name, str(kind.status), str(kind.title)) for kind in KINDS.values()
    ]

    text = (DOCS / "back-offices.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `(\w+:\w+)` \| (.*) \|$", text, re.M) == scopes
    assert re.findall(r"^\| `(\S+)` \| (\d+) \| (.*) \|$", text, re.M) == problems


def test_every_event_is_documented_and_no_other():
    text = (DOCS / "webhooks.md").read_text(encoding="utf-8")

    documented = re.findall(r"^\| `(\w+\.\w+)` \| (.*) \|$", text, re.MULTILINE)

    assert documented == [(each.value, str(each.label)) for each in EventType]


@pytest.mark.parametrize("document", ["docs/installation.md", "README.md"])
def test_what_is_to_be_installed_is_what_the_sandbox_has(document):
    sandbox = "".join(
        (ROOT / "sandbox" / name).read_text() for name in ("settings.py", "urls.py")
    )
    blocks = "\n".join(python_blocks((ROOT / document).read_text(encoding="utf-8")))

    apps = re.findall(r'^    "(oscar_training_credits[\w.]*)",', blocks, re.MULTILINE)
    loader = re.search(r"^OSCAR_DYNAMIC_CLASS_LOADER = .*$", blocks, re.MULTILINE)
    url = re.search(r"path\(\"training/.*\)", blocks)

    assert re.findall(r'^    "(oscar_training_credits[\w.]*)",', sandbox, re.M) == apps
    assert loader
    assert loader[0] in sandbox
    assert url
    assert url[0] in sandbox


@pytest.mark.parametrize(
    "document",
    [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))],
    ids=lambda path: path.stem,
)
def test_the_python_on_a_page_is_python(document):
    for block in python_blocks(document.read_text(encoding="utf-8")):
        compile(block, str(document), "exec")


def test_every_dependency_is_given_a_reason():
    project = (ROOT / "pyproject.toml").read_text().partition("[tool.")[0]
    required = set(re.findall(r'^\s+"([\w-]+)(?:\[\S+\])?[><=",]', project, re.M))
    required |= set(re.findall(r'= \["([\w-]+)[><=]', project))

    text = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    given = set(re.findall(r"^\| (\S+)", text.lower(), re.MULTILINE))

    assert {name.lower() for name in required} - given == {
        "django-oscar-training-credits"
    }


@pytest.mark.parametrize("document", [ROOT / "README.md", ROOT / "CHANGELOG.md"])
def test_the_links_of_a_page_lead_to_files(document):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))

    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_nothing_of_the_machine_it_was_written_on_is_left():
    found = [
        (path.relative_to(ROOT).as_posix(), word)
        for path in WRITTEN_BY_HAND
        for word in KEPT_OUT
        if word in path.read_text(encoding="utf-8")
    ]

    assert found == []
