"""What a site's own templates can show: which of our tags they reach.

A template is read as Django would render it, whatever folder it comes from: what it
extends and includes by name, with the blocks that stand in front. Nothing is rendered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.base import Node, Template, VariableNode
from django.template.defaulttags import URLNode
from django.template.loader import get_template
from django.template.loader_tags import BlockNode, ExtendsNode, IncludeNode
from oscar.templatetags.currency_filters import currency

from ..templatetags import training_credits as tags
from ..templatetags.training_credits import NextTemplateNode

Blocks = dict[str, list[BlockNode]]


@dataclass(slots=True)
class Reach:
    """What one template leads to when it is rendered, under any condition."""

    tags: set[str] = field(default_factory=set)
    """The names of our template tags."""
    urls: set[str] = field(default_factory=set)
    """The names of the URLs that are linked to."""
    files: dict[str, str] = field(default_factory=dict)
    """The first file of each template, by the template's name."""
    prints_money: bool = False

    def leads_to(self, names: Iterable[str]) -> bool:
        """Tell whether any of these tags, URLs or templates is reached."""
        return not (self.tags | self.urls | self.files.keys()).isdisjoint(names)


def reach_of(name: str) -> Reach | None:
    """Return what the template `name` leads to; None if it can't be read.

    That is: there is none, another engine than Django's has it, or it is faulty.
    """
    try:
        template: Any = getattr(get_template(name), "template", None)
        if not isinstance(template, Template):
            return None
        reader = _Reader(template.engine)
        reader.read(name, template, blocks=defaultdict(list), seen=[])
    except (TemplateDoesNotExist, TemplateSyntaxError):
        return None
    return reader.reach


class _Reader:
    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.reach = Reach()

    def read(self, name: str, template: Any, *, blocks: Blocks, seen: Any) -> None:
        """Read a template and what it extends; `blocks` stand in front of its own."""
        self.reach.files.setdefault(name, str(template.origin.name))
        for each in self.chain(template, seen):
            for block in each.nodelist.get_nodes_by_type(BlockNode):
                blocks[block.name].append(block)
            last = each
        self.walk(last.nodelist, blocks, seen)

    def chain(self, template: Any, seen: list[Any]) -> Iterator[Any]:
        """Yield a template and those that it extends, the outermost layout last."""
        while True:
            seen.append(template.origin)
            yield template
            extends = [
                node
                for node in template.nodelist
                if isinstance(node, ExtendsNode)
                and not isinstance(node, NextTemplateNode)
            ]
            if not extends or not (name := _constant(extends[0].parent_name)):
                return
            template = self.next_of(name, seen)

    def next_of(self, name: str, seen: list[Any]) -> Any:
        return self.engine.find_template(name, skip=seen)[0]

    def walk(self, nodes: Iterable[Node], blocks: Blocks, seen: list[Any]) -> None:
        for node in nodes:
            if isinstance(node, BlockNode):
                self.walk_block(node.name, blocks, seen)
            elif isinstance(node, NextTemplateNode):
                name = _constant(node.parent_name)
                self.read(name, self.next_of(name, seen), blocks=blocks, seen=seen)
            elif isinstance(node, IncludeNode):
                self.include(_constant(node.template))
            else:
                self.note(node)
                for attribute in node.child_nodelists:
                    self.walk(getattr(node, attribute, None) or (), blocks, seen)

    def walk_block(
        self, name: str, blocks: Blocks, seen: list[Any], depth: int = 0
    ) -> None:
        block = blocks[name][depth]
        self.walk(block.nodelist, blocks, seen)
        if depth + 1 < len(blocks[name]) and _asks_for_super(block):
            self.walk_block(name, blocks, seen, depth + 1)

    def include(self, name: str) -> None:
        if not name or name in self.reach.files:
            return
        try:
            template = self.engine.find_template(name)[0]
        except TemplateDoesNotExist:
            return
        self.read(name, template, blocks=defaultdict(list), seen=[])

    def note(self, node: Any) -> None:
        function: Any = getattr(node, "func", None)
        if getattr(function, "__module__", None) == tags.__name__:
            self.reach.tags.add(function.__name__)
        if isinstance(node, URLNode):
            self.reach.urls.add(_constant(node.view_name))
        if isinstance(node, VariableNode):
            used = node.filter_expression.filters
            self.reach.prints_money |= any(each is currency for each, _ in used)


def _asks_for_super(block: BlockNode) -> bool:
    printed: list[Any] = block.nodelist.get_nodes_by_type(VariableNode)
    return any(
        str(getattr(node.filter_expression.var, "var", "")) == "block.super"
        for node in printed
    )


def _constant(expression: Any) -> str:
    """Return the text of an expression that is one, or an empty text."""
    is_text = not expression.is_var and not expression.filters
    return str(expression.var) if is_text else ""
