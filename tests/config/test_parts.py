"""The arguments of a part are checked against its class, and the class is built with them."""

from __future__ import annotations

import inspect
import sys
import textwrap

import pytest
import torch

from gan_cli.config import parts
from gan_cli.config.schema import Config, Part
from gan_cli.errors import UserError

MODULE = """
    from __future__ import annotations
    import typing as t
    from dataclasses import dataclass, field
    from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Optional, Union
    from annotated_types import Gt, Lt
    import torch
    from torch import Tensor, nn
    from pydantic import Field, PositiveInt
    from .other import Base, Alias
    if TYPE_CHECKING:
        from nowhere import Unknown
    Norm = Literal["batch", "none"]
    class Plain(nn.Module): ...
    class Own(nn.Module):
        def __init__(self, a: PositiveInt, b: float = 0.5, *, c: Norm = "none", d: Optional[int] = None,
                     e: tuple[int, ...] = (), f: Union[float, Tensor] = 1.0, g: Annotated[float, Gt(0), Lt(1)] = 0.5,
                     h: "PositiveInt" = 1, i=3, j: Tensor = None, k: Alias = 1, l: t.Any = None,
                     m: bool = False, n: Annotated[str, Field(pattern="^x")] = "x", o: list[PositiveInt] | None = None,
                     p: dict[str, int] = {}, q: Annotated[list[bool], Field(min_length=2)] = ()) -> None:
            super().__init__()
            if a > 99:
                raise ValueError(f"a={a} is too large")
    class Passes(Own):
        def __init__(self, extra: int, b: bool = True, **kwargs): ...
    class Open:
        def __init__(self, a: int, **kwargs): ...
    class Positional:
        def __init__(self, a: int, /, b: int): ...
    class Untyped:
        def __init__(self, a: Unknown, b: int = 1): ...
    @dataclass
    class Data:
        kind: ClassVar[str] = "data"
        a: PositiveInt
        b: list[int] = field(default_factory=list)
        c: int = field(init=False, default=3)
    def function(a: int): ...
"""
OTHER = """
    from abc import ABC, abstractmethod
    from pydantic import PositiveInt
    Alias = PositiveInt
    class Base:
        def __init__(self, size: PositiveInt = 3) -> None: ...
    class Abstract(Base, ABC):
        @abstractmethod
        def draw(self): ...
"""


class Holder(Config):
    part: Part


FILES = {"__init__": "from .parts import *", "parts": MODULE, "other": OTHER}
FILES |= {"sub": "from .parts import Data", "broken": "class Half(:", "needy": "import nowhere"}


@pytest.fixture(scope="module", autouse=True)
def theirs(tmp_path_factory):
    """A package of the user's."""
    root = tmp_path_factory.mktemp("place") / "theirs"
    root.mkdir()
    for name, text in FILES.items():
        (root / f"{name}.py").write_text(textwrap.dedent(text))
    sys.path.insert(0, str(root.parent))
    yield
    sys.path.remove(str(root.parent))
    for name in [name for name in sys.modules if name.partition(".")[0] == "theirs"]:
        del sys.modules[name]


def checked(name, allowed="theirs", **arguments):
    part = parts.check(Holder(part=Part.of(name, arguments)), [allowed]).part
    assert part.target == name
    return part.arguments


def refusal(name, allowed="theirs", **arguments):
    with pytest.raises(UserError) as caught:
        checked(name, allowed, **arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *((name, {}) for name in ("Plain", "parts.Base", "other.Base")),
        ("parts.Passes", {"extra": 1, "a": 2, "b": False}),
        ("parts.Open", {"a": 1, "zz": 3}),
        ("parts.Untyped", {"a": [], "b": "x"}),
        ("parts.Data", {"a": 1, "b": [2]}),
    ],
)
def test_a_class_is_found_where_it_is_defined_or_imported_and_takes_its_arguments(name, arguments):
    assert checked(f"theirs.{name}", **arguments) == arguments


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("theirs.parts.Owm", "theirs.parts has no class Owm; did you mean Own?"),
        ("theirs.parts.function", "theirs.parts has no class function"),
        ("theirs.parts.torch", "theirs.parts has no class torch"),
        ("theirs.parts.Tensor", "it is torch.Tensor, outside the permitted modules"),
        ("theirs.parts.torch.load", "No module named 'theirs.parts.torch'"),
        ("theirs.parts.Own.__init__", "No module named 'theirs.parts.Own'"),
        ("theirs.nothing.Own", "No module named 'theirs.nothing'; a class is named as module.Class"),
        ("theirs.broken.Half", "invalid syntax (broken.py, line 1)"),
        ("theirs.needy.Own", "No module named 'nowhere'"),
    ],
)
def test_what_is_no_class_of_theirs(name, expected):
    line = refusal(name)
    assert line.startswith(f"part._target_={name}: {expected}")
    assert ("a class is named" in line) == ("No module named 'theirs" in line)
    expected = "it is theirs.parts.Data, outside the permitted modules"
    assert expected in refusal("theirs.sub.Data", allowed="theirs.sub", a=1)


def test_values_come_in_the_annotated_types():
    given = {"a": 1, "c": "batch", "e": [1, 2], "h": 1, "i": {"x": 1}, "j": "t", "o": None, "p": {"q": 1}}
    found = checked("theirs.parts.Own", **given, b=2, f=3)
    assert found == {**given, "b": 2, "f": 3}
    assert (repr(found["b"]), repr(found["f"])) == ("2.0", "3.0")
    nested = {"_target_": "torch.nn.LeakyReLU", "negative_slope": 0.2}
    assert checked("theirs.parts.Own", a=1, i=nested)["i"] == nested


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("Own", {"a": 0}, "part.a=0: must be a whole number above 0"),
        ("Own", {"a": "1"}, "part.a=1: must be a whole number above 0"),
        ("Own", {"b": float("inf")}, "part.b=inf: must be a number, such as part.b=0.5"),
        ("Own", {"c": "btch"}, "part.c=btch: must be batch or none, such as part.c=none"),
        ("Own", {"d": 0.5}, "part.d=0.5: must be a whole number or null"),
        ("Own", {"f": "x"}, "part.f=x: must be a number"),
        ("Own", {"g": 1}, "part.g=1: must be a number above 0 and below 1"),
        ("Own", {"h": 0}, "part.h=0: must be a whole number above 0, such as part.h=1"),
        ("Own", {"k": 0}, "part.k=0: must be a whole number above 0"),
        ("Own", {"m": 1}, "part.m=1: must be true or false, such as part.m=false"),
        ("Own", {"n": "y"}, "part.n=y: must be text"),
        ("Own", {"o": [0]}, "part.o=[0]: must be a list, each a whole number above 0 or null"),
        ("Own", {"q": [True]}, "part.q=[true]: must be a list of at least 2, each true or false"),
        ("Own", {"p": {"q": "x"}}, "part.p={q: x}: must be a mapping of keys to values"),
        ("Own", {"bb": 1}, "part.bb=1: no such key; did you mean part.b=1? keys of part: a, b,"),
        ("Plain", {"a": 1}, "part.a=1: no such key; keys of part: none"),
        ("Positional", {"a": 1}, "part.a=1: no such key; keys of part: b"),
        ("Passes", {"extra": 1, "a": 2, "b": 0.5}, "part.b=0.5: must be true or false"),
        ("Passes", {"extra": 1, "a": 2, "zz": 3}, "part.zz=3: no such key"),
        ("Untyped", {"c": 1}, "part.c=1: no such key; keys of part: a, b"),
        ("Data", {"a": 0}, "part.a=0: must be"),
        ("Data", {"a": 1, "b": ["x"]}, "part.b=[x]: must be a list, each a whole number"),
        ("Data", {"a": 1, "c": 2}, "part.c=2: no such key; keys of part: a, b"),
    ],
)
def test_wrong_arguments(name, arguments, expected):
    arguments = {"a": 1, **arguments} if name == "Own" else arguments
    assert refusal(f"theirs.parts.{name}", **arguments).startswith(expected)


def test_a_part_is_built_or_refused_in_one_line():
    from theirs import parts as module

    own = Part.of("theirs.parts.Own", {"a": 1})
    assert isinstance(parts.build(own, "part", torch.nn.Module, b=0.5), module.Own)
    for part, role, given, expected in (
        (own.replace(a=100), torch.nn.Module, {}, "part (Own): a=100 is too large"),
        (own, torch.nn.Linear, {}, "part._target_=theirs.parts.Own: not a Linear"),
        (own, torch.nn.Module, {"z": 1}, "part (Own): got an unexpected keyword argument 'z'"),
        (own, torch.nn.Module, {"a": 1}, "part (Own): got multiple values for keyword argument 'a'"),
        (Part.of(own.target, {}), torch.nn.Module, {}, "part (Own): missing a required argument: 'a'"),
        (Part.of("theirs.other.Abstract", {}), object, {}, "part._target_=theirs.other.Abstract: the class lacks"),
    ):
        with pytest.raises(UserError) as caught:
            parts.build(part, "part", role, **given)
        assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    "name", [n for n in dir(torch.optim) if isinstance(getattr(torch.optim, n), type) and n != "Optimizer"]
)
def test_every_optimizer_of_torch_takes_its_own_defaults_and_no_others(name):
    given = inspect.signature(getattr(torch.optim, name)).parameters.values()
    plain = {p.name: p.default for p in given if isinstance(p.default, (bool, int, float, str, tuple))}
    found = checked(f"torch.optim.{name}", **plain)
    assert found == {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}
    assert refusal(f"torch.optim.{name}", lr="fast").startswith("part.lr=fast: must be a number")
    assert refusal(f"torch.optim.{name}", nonsense=1).startswith("part.nonsense=1: no such key")


def test_what_an_option_says_of_a_class_that_the_command_line_replaces_goes():
    option = Part.of("theirs.parts.Own", {"a": 1, "width": 64, "b": 2.0, "norm": "auto"})

    def replaced(*typed):
        return parts.check(Holder(part=option), ["theirs"], typed).part.arguments

    assert replaced("part._target_") == {"a": 1, "b": 2.0}
    for typed in ((), ("part.a",), ("part._target_", "part.width"), ("part._target_", "part.width.of")):
        with pytest.raises(UserError, match=r"part\.width=64: no such key"):
            replaced(*typed)


def test_a_mistake_in_the_users_module_has_its_place(tmp_path):
    (tmp_path / "theirs_too.py").write_text("class Own:\n    def __init__(self):\n        self.a = {}['b']\n")
    (tmp_path / "theirs_wrong.py").write_text("import torch\n\nx = torch.zeros(2) @ torch.zeros(3)\n")
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(UserError, match=rf"^part \(theirs_too\.Own\): KeyError: 'b' \({tmp_path}/\S+, line 3\)$"):
            parts.build(Part.of("theirs_too.Own", {}), "part", object)
        with pytest.raises(UserError, match=r"^part\._target_=theirs_wrong\.X: RuntimeError: .*wrong\.py, line 3\)$"):
            parts.class_of(Part.of("theirs_wrong.X", {}), "part")
    finally:
        sys.path.remove(str(tmp_path))
