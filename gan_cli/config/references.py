"""What the interpolations of a config may be: references to its own keys, few enough to be written out."""

from __future__ import annotations

import re
from typing import Any

MAX_CHARACTERS = 10**5  # of all values once their references are written out
MAX_TEXT = 1000  # characters of a text with references
_REFERENCE = re.compile(r"\$\{([^${}]*)\}")
_ESCAPED = re.compile(r"(?<!\\)(?:\\\\)*\\\$\{")  # \${ is text
_NESTED = re.compile(r"\$\{[^}]*\$\{")


def uses_resolver(text: str) -> bool:
    r"""Tell whether a text asks for more than a key's value, as ${oc.env:HOME} does; \${oc.env:HOME} is plain text.

    A resolver's name may itself be put together by references: what counts is how OmegaConf's grammar reads it.
    """
    from antlr4 import ParserRuleContext
    from omegaconf.errors import GrammarParseError
    from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser
    from omegaconf.grammar_parser import parse

    try:
        rest = [parse(text)]
    except GrammarParseError:
        return False  # nor can it be resolved
    while rest:
        node = rest.pop()
        if isinstance(node, OmegaConfGrammarParser.InterpolationResolverContext):
            return True
        rest += [part for part in node.children or () if isinstance(part, ParserRuleContext)]
    return False


def reason_against(text: str) -> str:
    """Return why a text may not stand in a config, or ''."""
    if "${" not in text:
        return ""
    if len(text) > MAX_TEXT:
        return f"a text with references has at most {MAX_TEXT:,} characters"
    if uses_resolver(text):
        return "a config may refer to its own keys alone, as in ${train.steps}; give a value"
    if _NESTED.search(_ESCAPED.sub("", text)):
        return "a reference inside another; name the key itself"
    return ""


def check_size(config: Any) -> None:
    """Refuse references that stand for so much that writing them out would fill the memory, or for themselves.

    Args:
        config: plain values, references unresolved.

    Raises:
        ValueError: the text says which.
    """
    _characters(config, [], config, {})


def _characters(value: Any, path: list[str], config: Any, known: dict[str, int]) -> int:
    place = "\0".join(path)
    if place in known:
        if known[place] < 0 and isinstance(value, (dict, list)):
            raise ValueError(f"{'.'.join(path)} refers to what it stands in")
        return max(known[place], 0)  # a text that refers to itself is told by OmegaConf
    known[place] = -1
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        total = 1 + sum(_characters(inner, [*path, str(name)], config, known) for name, inner in items)
    else:
        total = len(value) if isinstance(value, str) else 1
        for reference in _REFERENCE.findall(_ESCAPED.sub("", value)) if isinstance(value, str) else ():
            found, where = _find(reference, path, config)
            total += _characters(found, where, config, known)
    if total > MAX_CHARACTERS:
        raise ValueError(f"{'.'.join(path)} refers to more than {MAX_CHARACTERS:,} characters")
    known[place] = total
    return total


def _find(reference: str, path: list[str], config: Any) -> tuple[Any, list[str]]:
    """Return what a reference at a path names, or the text on the way that refers further; and where it stands."""
    name = reference.strip()
    dots = len(name) - len(name.lstrip("."))
    where = path[:-dots] if dots else []
    value = config
    for part in where:
        value = value[part] if isinstance(value, dict) else value[int(part)]
    for part in re.findall(r"[^.\[\]]+", name):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return (value if isinstance(value, str) else None), where  # it refers further; or names nothing
        where = [*where, part]
    return value, where
