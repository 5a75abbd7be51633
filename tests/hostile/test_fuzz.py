"""Random checkpoints and command lines: taken, or refused in one line, and never a traceback."""

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
EDITS = st.lists(st.tuples(st.integers(0, 2**16), st.binary(max_size=6), st.integers(0, 6)), max_size=4)
ENTRY = {"dtype": TEXTS, "shape": st.lists(NUMBERS, max_size=4), "data_offsets": st.lists(NUMBERS, max_size=3)}
WORDS = [*"a.=,[]{}()'\"\\$:~+@/ -0*\t\n\x00é", "seed", "loss", "optimizer.critic.lr", "=1e400", "=glob(*)", "${seed}"]
LINES = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)
few = pytest.mark.parametrize("cases", [120, pytest.param(10_000, marks=pytest.mark.slow)])


def loose(cases):
    return settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def is_refused(read):
    """Whether a reader refuses in one line; any other exception is its fault."""
    try:
        read()
    except (UserError, ValueError) as error:
        if not isinstance(error, UserError) and type(error) is not ValueError:  # a UnicodeError: nobody wrote its text
            raise
        text = one_line(error)
    else:
        return False
    assert text
    return True


@few
def test_checkpoints(tmp_path, trained, cases):
    only = forge.alone(shutil.copytree(trained, tmp_path / "run"))
    contents = {path.name: path.read_bytes() for path in only.iterdir()}
    (head, data), meta = forge.header(contents[forge.STATE]), forge.meta(only)
    config = validate_saved(yaml.safe_load((trained / "config.yaml").read_text()))
    outline, refused = build.check(config, (2,), 0).outline((2,), 0), 0
    headers = st.dictionaries(st.sampled_from(sorted(head)) | TEXTS, st.fixed_dictionaries(ENTRY) | JSON, max_size=3)
    metas = st.dictionaries(st.sampled_from(sorted(meta)) | TEXTS, JSON, max_size=3)

    @loose(cases)
    @given(st.sampled_from(sorted(contents)), EDITS, st.booleans(), headers | JSON, metas | JSON)
    def case(which, edits, sealed, header, about):
        nonlocal refused
        for name, content in contents.items():
            (only / name).write_bytes(content)
        if header is not None:
            header = {**head, **header} if isinstance(header, dict) else header
            (only / forge.STATE).write_bytes(forge.state_of(header, data))
        if about is not None:
            forge.put(only, forge.META, {**meta, **about} if isinstance(about, dict) else yaml.dump(about).encode())
        content = (only / which).read_bytes()
        for at, new, old in edits:
            at %= len(content) + 1
            content = content[:at] + new + content[at + old :]
        (only / which).write_bytes(content)
        if sealed:
            forge.seal(only)
        refused += is_refused(lambda: outline.check_fit(checkpoint.load(only.parent, lambda text: None).tensors))

    case()
    assert refused > cases // 2


@few
def test_saved_configs(trained, cases):
    saved = yaml.safe_load((trained / "config.yaml").read_text())
    keys = ["seed", "run_dir", "train", "loss", "dataset"]

    @loose(cases)
    @given(st.sampled_from(keys), JSON | st.dictionaries(TEXTS | st.just("_target_"), JSON | st.just("???")))
    def case(key, value):
        is_refused(lambda: validate_saved({**saved, key: value}))

    case()


@few
def test_command_lines(cases):
    composer = Composer.of("train", parse([]))

    @loose(cases // 4)
    @given(st.lists(LINES, min_size=1, max_size=2))
    def case(texts):
        is_refused(lambda: composer.parse(texts) and validate("train", composer.compose(texts), texts))

    case()
