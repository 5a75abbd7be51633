"""Thousands of random checkpoints and command lines: taken, or refused in one line, and never a traceback.

The default run tries a few hundred of each; `make test-slow` tries 10,000 of each.
"""

from __future__ import annotations

import shutil

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan_cli.config.arguments import parse
from gan_cli.config.compose import Composer
from gan_cli.config.validate import validate, validate_saved
from gan_cli.core.text import one_line
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint
from gan_cli.session import build
from tests.hostile import forge

NUMBERS = st.integers(-(2**70), 2**70) | st.integers(-3, 40) | st.floats()
TEXTS = st.text(max_size=12) | st.sampled_from(["F32", "F64", "I64", "U8", "..", "../x", "/", "game/", "\x00"])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
EDITS = st.lists(st.tuples(st.integers(0, 2**16), st.binary(min_size=0, max_size=6), st.integers(0, 6)), max_size=4)


def edited(content, edits):
    """Bytes put in the place of others, here and there."""
    for at, new, old in edits:
        at %= len(content) + 1
        content = content[:at] + new + content[at + old :]
    return content


def entries(names):
    """One tensor's entry in a header: nearly right, or anything."""
    nearly = st.fixed_dictionaries(
        {"dtype": TEXTS, "shape": st.lists(NUMBERS, max_size=4), "data_offsets": st.lists(NUMBERS, max_size=3)}
    )
    return st.dictionaries(st.sampled_from(names) | TEXTS, nearly | JSON, min_size=1, max_size=3)


@pytest.fixture(scope="module")
def original(tmp_path_factory, trained):
    """A run with one checkpoint, what is in it, and the outline that its config promises."""
    run = tmp_path_factory.mktemp("fuzz") / "run"
    shutil.copytree(trained, run)
    only = forge.alone(run)
    plan = build.check(validate_saved(yaml.safe_load((run / "config.yaml").read_text())), (2,), 0)
    outline = plan.outline((2,), 0)
    return only, {name: (only / name).read_bytes() for name in (forge.STATE, forge.META, forge.MANIFEST)}, outline


def is_refused(read):
    """Whether a reader refuses in one line; any other exception is its fault."""
    told = None
    try:
        read()
    except UserError as error:
        told = one_line(error)
    except ValueError as error:
        if type(error) is not ValueError:  # a UnicodeError, for one: nobody wrote its text
            raise
        told = one_line(error)
    assert told != ""
    return told is not None


def read(only, outline):
    warned = []
    found = checkpoint.load(only.parent, warned.append)
    assert warned == []
    outline.check_fit(found.tensors)


def fuzz_reader(original, cases):
    only, contents, outline = original
    head, data = forge.header(contents[forge.STATE])
    meta = forge.meta(only)
    refused = 0

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        which=st.sampled_from(sorted(contents)),
        edits=EDITS,
        sealed=st.booleans(),
        header=st.none() | entries(sorted(head)) | JSON,
        about=st.none() | st.dictionaries(st.sampled_from(sorted(meta)) | TEXTS, JSON, max_size=3) | JSON,
    )
    def case(which, edits, sealed, header, about):
        nonlocal refused
        for name, content in contents.items():
            (only / name).write_bytes(content)
        if header is not None:
            (only / forge.STATE).write_bytes(
                forge.state_of({**head, **header} if isinstance(header, dict) else header, data)
            )
        if about is not None:
            forge.put_meta(only, {**meta, **about} if isinstance(about, dict) else yaml.dump(about).encode())
        (only / which).write_bytes(edited((only / which).read_bytes(), edits))
        if sealed:
            forge.seal(only)
        refused += is_refused(lambda: read(only, outline))

    try:
        case()
    finally:
        for name, content in contents.items():
            (only / name).write_bytes(content)
    read(only, outline)
    assert refused > cases // 2


def fuzz_overrides(cases):
    commands = {name: Composer.of(name, parse([])) for name in ("train", "resume", "sample")}
    keys = [
        "seed",
        "train.steps",
        "loss",
        "optimizer.critic.lr",
        "run_dir",
        "model",
        "dataset.classes",
        "hydra.run.dir",
    ]
    characters = st.text(st.sampled_from("abc.=,[]{}()'\"\\$:~+@/ -0159?*trainseploss\t\n\x00é"), max_size=20)
    values = st.sampled_from(["1", "1e400", "null", "[1", "{a: 1}", "${seed}", "${oc.env:HOME}", "glob(*)", "'"])
    built = st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["", "", "", "+", "++", "~", "-"]),
        st.sampled_from(keys) | characters,
        st.sampled_from(["=", "", "@x=", "==", "=="]),
        values | characters | st.text(max_size=8),
    )

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(command=st.sampled_from(sorted(commands)), texts=st.lists(built | characters, min_size=1, max_size=2))
    def case(command, texts):
        composer = commands[command]
        if not is_refused(lambda: composer.parse(texts)):
            is_refused(lambda: validate(command, composer.compose(texts), texts))

    case()


def test_some_checkpoints(original):
    fuzz_reader(original, 200)


def test_some_overrides():
    fuzz_overrides(50)


@pytest.mark.slow
def test_ten_thousand_checkpoints(original):
    fuzz_reader(original, 10_000)


@pytest.mark.slow
def test_ten_thousand_overrides():
    fuzz_overrides(10_000)
