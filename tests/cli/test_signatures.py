"""Classes are found and read in source files that are never imported."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import typing

import pytest
import torch

from gan_cli.config import sources
from gan_cli.config.blocks import check_block
from gan_cli.config.signatures import read_signature
from gan_cli.config.sources import find_class
from gan_cli.errors import UserError

MODULE = """
    from __future__ import annotations
    raise RuntimeError("a check imports nothing")
    import dataclasses
    import typing as t
    from dataclasses import dataclass, field
    from typing import Annotated, ClassVar, Literal, Optional, Union
    from annotated_types import Gt, Lt
    import torch
    from torch import Tensor, nn
    from pydantic import Field, PositiveInt
    from .other import Base, Alias, helper
    from .other import Base as Renamed
    from os import path

    Norm = Literal["batch", "none"]
    twice = 1
    twice = 2

    class Plain(nn.Module):
        pass

    class Own(nn.Module):
        def __init__(self, a: PositiveInt, b: float = 0.5, *, c: Norm = "none", d: Optional[int] = None,
                     e: tuple[int, ...] = (), f: Union[float, Tensor] = 1.0, g: Annotated[float, Gt(0), Lt(1)] = 0.5,
                     h: "PositiveInt" = 1, i=3, j: Tensor = None, k: Alias = 1, l: t.Any = None,
                     m: bool = False, n: Annotated[str, Field(pattern="^x")] = "x", o: list[PositiveInt] | None = None,
                     p: dict[str, int] = {}) -> None: ...

    class Child(Own):
        pass

    class Passes(Own):
        def __init__(self, extra: int, b: bool = True, **kwargs): ...

    class Open:
        def __init__(self, a: int, **kwargs): ...

    class FromBase(Base):
        pass

    class Positional:
        def __init__(self, a: int, /, b: int): ...

    @dataclass
    class Data:
        kind: ClassVar[str] = "data"
        a: PositiveInt
        b: list[int] = field(default_factory=list)
        c: int = field(init=False, default=3)

    @dataclasses.dataclass(frozen=True)
    class MoreData(Data):
        d: float = 1.0

    def function(a: int): ...

    if True:
        class Guarded: ...
    else:
        class Guarded: ...
"""
OTHER = """
    from pydantic import PositiveInt
    Alias = PositiveInt
    helper = 3
    class Base:
        def __init__(self, size: PositiveInt = 3) -> None: ...
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that cannot be imported, and the name to allow."""
    root = tmp_path / "theirs"
    (root / "sub").mkdir(parents=True)
    (root / "__init__.py").write_text("from .parts import *\nfrom .parts import Own as Own\n")
    (root / "parts.py").write_text(textwrap.dedent(MODULE))
    (root / "other.py").write_text(textwrap.dedent(OTHER))
    (root / "sub" / "__init__.py").write_text("from ..parts import Data\nfrom . import circle\n")
    (root / "sub" / "circle.py").write_text("from .circle import Round\n")
    (root / "broken.py").write_text("class Half(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    sources.load.cache_clear()
    yield "theirs"
    sources.load.cache_clear()
    assert "theirs" not in sys.modules


def check(name, **arguments):
    return check_block("part", {"_target_": f"theirs.{name}", **arguments}, ["theirs"])


def refusal(name, **arguments):
    with pytest.raises(UserError) as caught:
        check(name, **arguments)
    return str(caught.value)


@pytest.mark.parametrize("name", ["parts.Own", "Own", "Plain", "sub.Data", "parts.Base", "other.Base", "FromBase"])
def test_found_where_defined_or_re_exported(package, name):
    assert find_class(f"{package}.{name}").node.name == name.rpartition(".")[2]


@pytest.mark.parametrize(
    "name",
    [
        "parts.Missing",
        "parts.function",
        "parts.twice",
        "parts.helper",
        "parts.torch",
        "parts.Tensor",
        "parts.path",
        "parts.Renamed",
        "parts.Guarded",
        "parts.torch.load",
        "parts.Own.__init__",
        "nothing.Own",
        "broken.Half",
        "sub.circle.Round",
    ],
)
def test_not_a_plain_class(package, name):
    with pytest.raises(LookupError):
        find_class(f"{package}.{name}")
    assert refusal(name).startswith(f"part._target_=theirs.{name}: ")


def test_parameters(package):
    signature = read_signature(f"{package}.parts.Own", [package])
    assert list(signature.parameters) == list("abcdefghijklmnop")
    assert [n for n, p in signature.parameters.items() if p.required] == ["a"]
    assert signature.parameters["f"].type is float
    assert signature.parameters["j"].type is typing.Any
    assert signature.parameters["i"].default == 3
    assert read_signature(f"{package}.parts.Child", [package]).parameters == signature.parameters
    assert read_signature(f"{package}.parts.Plain", [package]).parameters == {}
    assert list(read_signature(f"{package}.parts.FromBase", [package]).parameters) == ["size"]
    assert list(read_signature(f"{package}.parts.Positional", [package]).parameters) == ["b"]


def test_values_come_in_the_annotated_types(package):
    given = {
        "a": 1,
        "b": 2,
        "c": "batch",
        "e": [1, 2],
        "f": 3,
        "h": 1,
        "i": {"x": 1},
        "j": "t",
        "o": None,
        "p": {"q": 1},
    }
    checked = check("parts.Own", **given)
    assert checked == {"_target_": "theirs.parts.Own", **given}
    assert repr(checked["b"]) == "2.0"
    assert repr(checked["f"]) == "3.0"


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ({"a": 0}, "part.a=0: must be a whole number of at least 1, such as part.a=1"),
        ({"a": True}, "part.a=true: must be a whole number of at least 1"),
        ({"a": "1"}, "part.a=1: must be a whole number of at least 1"),
        ({"b": None}, "part.b=null: must be a number, such as part.b=0.5"),
        ({"b": float("inf")}, "part.b=inf: must be a number"),
        ({"b": True}, "part.b=true: must be a number"),
        ({"c": "btch"}, "part.c=btch: must be batch or none, such as part.c=none"),
        ({"d": 0.5}, "part.d=0.5: must be a whole number or null"),
        ({"e": [0.5]}, "part.e=[0.5]: must be a list, each a whole number"),
        ({"f": "x"}, "part.f=x: must be a number"),
        ({"g": 1}, "part.g=1: must be a number above 0 and below 1"),
        ({"h": 0}, "part.h=0: must be a whole number of at least 1"),
        ({"k": 0}, "part.k=0: must be a whole number of at least 1"),
        ({"m": 1}, "part.m=1: must be true or false, such as part.m=false"),
        ({"n": "y"}, "part.n=y: must be text"),
        ({"o": [0]}, "part.o=[0]: must be a list, each a whole number of at least 1 or null"),
        ({"p": {"q": "x"}}, "part.p={q: x}: must be a mapping of keys to values"),
        ({"bb": 1}, "part.bb=1: no such key; did you mean part.b=1? keys of part: a, b,"),
        ({"_partial_": True}, "part._partial_=true: no such key"),
        ({"_args_": [1]}, "part._args_=[1]: no such key"),
    ],
)
def test_wrong_arguments(package, argument, told):
    assert refusal("parts.Own", **{"a": 1, **argument}).startswith(told)


def test_missing_argument(package):
    assert (
        refusal("parts.Own")
        == "part.a: no value is given; add +part.a=1 or another value: a whole number of at least 1"
    )


def test_keywords_are_passed_on_to_the_base(package):
    assert check("parts.Passes", extra=1, a=2, b=False)["b"] is False
    assert "no such key" in refusal("parts.Passes", extra=1, a=2, zz=3)
    assert check("parts.Passes", extra=1, a=2)["a"] == 2
    assert "part.a: no value" in refusal("parts.Passes", extra=1)


def test_open_keywords_take_anything_but_private_names(package):
    assert "zz" not in read_signature("theirs.parts.Open", [package]).parameters
    assert "no such key" in refusal("parts.Open", a=1, _recursive_=False)


def test_dataclasses(package):
    assert list(read_signature("theirs.parts.MoreData", [package]).parameters) == ["a", "b", "d"]
    assert check("parts.Data", a=1, b=[2])["b"] == [2]
    assert "part.a=0" in refusal("parts.MoreData", a=0)
    assert "no such key" in refusal("parts.Data", a=1, c=2)


def test_nested_targets_are_checked_too(package):
    nested = {"_target_": "torch.nn.LeakyReLU", "negative_slope": 0.2}
    assert check("parts.Own", a=1, i=nested)["i"] == nested
    assert refusal("parts.Own", a=1, i=[{"x": {"_target_": "os.system"}}]).startswith(
        "part.i.0.x._target_=os.system: code"
    )
    assert refusal("parts.Own", a=1, b=nested).startswith("part.b={_target_: torch.nn.LeakyReLU")


@pytest.mark.parametrize(
    "block", [None, 3, [], {}, {"a": 1}, {"_target_": None}, {"_target_": "x y"}, {"_target_": "theirs"}]
)
def test_what_names_no_class(package, block):
    with pytest.raises(UserError):
        check_block("part", block, [package])


def test_a_re_export_from_outside_the_allowed_modules(package):
    with pytest.raises(UserError, match="outside the allowed modules"):
        check_block("part", {"_target_": "theirs.sub.Data", "a": 1}, ["theirs.sub"])


@pytest.mark.parametrize("name", [n for n in dir(torch.optim) if isinstance(getattr(torch.optim, n), type)])
def test_every_optimizer_of_torch_is_read_as_it_is(name):
    import inspect

    cls = getattr(torch.optim, name)
    expected = {
        n: p for n, p in inspect.signature(cls.__init__).parameters.items() if n not in ("self", "args", "kwargs")
    }
    found = read_signature(f"torch.optim.{name}").parameters
    assert list(found) == list(expected)
    for argument, parameter in found.items():
        assert parameter.required == (expected[argument].default is inspect.Parameter.empty)


@pytest.mark.parametrize("name", ["Linear", "Conv2d", "ReLU", "BatchNorm2d", "Sequential"])
def test_modules_of_torch_are_found_through_star_imports(name):
    assert find_class(f"torch.nn.{name}").module.name.startswith("torch.nn.modules.")


def test_nothing_is_imported():
    code = (
        "import sys; from gan_cli.config.blocks import check_block;"
        "check_block('x', {'_target_': 'torch.optim.Adam'}, supplied=frozenset({'params'}));"
        "check_block('x', {'_target_': 'gan_cli.losses.wasserstein.Wasserstein'});"
        "assert 'torch' not in sys.modules and 'gan_cli.losses' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
