"""YAML that people hand in, read so that no text of a few hundred bytes can keep a computer busy for minutes.

An alias stands for all it points to, and aliases of aliases multiply; brackets within brackets exhaust the
stack; an integer of a million digits takes minutes to read. Recipes and descriptions of instruments are
small: what goes beyond the bounds here is refused with a sentence that says where.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from pipeline.errors import Fatal

#: Characters of a document; the largest that ships has four thousand.
LONGEST: Final = 200_000
#: Lists and mappings within each other.
DEEPEST: Final = 24
#: Values of a document once every alias is written out.
MOST_VALUES: Final = 20_000
#: Characters of a number; a float64 needs 24.
_LONGEST_NUMBER: Final = 40


def read_yaml(text: str, what: str) -> Any:
    """Plain data (mappings, lists, text, numbers) from YAML.

    Parameters
    ----------
    text
        The document.
    what
        What it is, for the message: a path or the name of an option.

    Raises
    ------
    Fatal
        When it is not valid YAML, asks for objects, names a key twice, or goes beyond the bounds.
    """
    if len(text) > LONGEST:
        raise Fatal(f"{what} has {len(text)} characters; at most {LONGEST} are read")
    try:
        return _Bounded(text).get_single_data()
    except _Refused as error:
        raise Fatal(f"{what}: {_told(error)}") from error
    except yaml.MarkedYAMLError as error:
        raise Fatal(f"{what} is not valid YAML: {_told(error)}") from error
    except (yaml.YAMLError, ValueError) as error:  # an impossible date is a ValueError
        raise Fatal(f"{what} is not valid YAML: {' '.join(str(error).split())}") from error
    except (AttributeError, KeyError) as error:  # PyYAML's constructors take a tag's word for what follows
        raise Fatal(f"{what} is not valid YAML: a tag (!!…) does not fit its value") from error


def load_yaml(path: Path, what: str) -> Any:
    """Plain data from a YAML file; see `read_yaml`.

    Raises
    ------
    Fatal
        Also when the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            text = stream.read(LONGEST + 1)  # a path may lead to something without end
    except OSError as error:
        raise Fatal(f"{what} {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise Fatal(f"{what} {path} cannot be read: it is not text in UTF-8") from error
    if len(text) > LONGEST:
        raise Fatal(f"{what} {path} is too long: at most {LONGEST} characters are read")
    return read_yaml(text, f"{what} {path}")


class _Refused(yaml.MarkedYAMLError):
    """Valid YAML that is not read."""


class _Bounded(yaml.SafeLoader):
    """The safe loader, counting what it makes."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._values = 0
        self._weights: dict[int, int] = {}

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        """One value with all in it; an alias counts as what it stands for."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs say nothing of it
        if isinstance(event, yaml.AliasEvent):
            node = super().compose_node(parent, index)
            if node is not None and id(node) not in self._weights:
                raise _refused("an alias stands for something that contains it", event.start_mark)
            self._count(self._weights.get(id(node), 0), event.start_mark)
            return node
        before = self._values
        self._count(1, event.start_mark)
        self._depth += 1
        if self._depth > DEEPEST:
            raise _refused(f"more than {DEEPEST} lists or mappings within each other", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None:
            self._weights[id(node)] = self._values - before
        return node

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; a key that stands there twice would silently lose its first value."""
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            if isinstance(key, ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise _refused(f"{_short(key.value)} stands there twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def _count(self, number: int, mark: Any) -> None:
        self._values += number
        if self._values > MOST_VALUES:
            raise _refused(f"more than {MOST_VALUES} values when aliases are written out", mark)


def _number(loader: _Bounded, node: ScalarNode, *, whole: bool) -> int | float:
    if len(node.value) > _LONGEST_NUMBER:
        raise _refused(f"a number of {len(node.value)} characters", node.start_mark)
    try:
        value = loader.construct_yaml_int(node) if whole else loader.construct_yaml_float(node)
        if math.isfinite(value):
            return value
    except (ValueError, OverflowError) as error:
        raise _refused(f"{_short(node.value)} is no number", node.start_mark) from error
    raise _refused(f"{_short(node.value)} is no finite number", node.start_mark)


def _integer(loader: _Bounded, node: ScalarNode) -> int | float:
    return _number(loader, node, whole=True)


def _float(loader: _Bounded, node: ScalarNode) -> int | float:
    return _number(loader, node, whole=False)


_Bounded.add_constructor("tag:yaml.org,2002:int", _integer)
_Bounded.add_constructor("tag:yaml.org,2002:float", _float)


def _refused(what: str, mark: Any) -> _Refused:
    return _Refused(problem=what, problem_mark=mark)


def _told(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    mark = error.problem_mark or error.context_mark
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return ", ".join(parts) + where


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
