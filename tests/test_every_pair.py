"""Every option with every option of the other groups: each pair trains, or is refused in one line.

The default run trains a covering array; the product of loss, constraint, updates and model is `slow`.
"""

from __future__ import annotations

import functools
import pickle
from itertools import product

import pytest
import torch
from torch import Tensor

from gan_cli.commands._list_matrix import Options
from gan_cli.config.schema import Part, RunConfig
from gan_cli.data.source import Batch, RealData
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, directory
from gan_cli.session import build
from gan_cli.session.session import Session
from gan_cli.training.eager import Eager
from tests.conftest import LOSSES
from tests.conftest import options as options_of
from tests.covering import Cell, covering_array, pairs_of
from tests.helpers import Noise, alone

SHAPES = {"points": (2,), "grey": (1, 9, 9), "rgb": (3, 16, 16)}
GROUPS = ("loss", "constraint", "updates", "model", "condition", "latent", "input", "optimizer", "schedule")
AXES = {group: options_of(group) for group in GROUPS} | {"data": [*SHAPES]}
CLASSES = ("a", "b", "c")
BATCH = 6
# Groups whose options may exclude each other; between all others every pair runs.
MAY_EXCLUDE = [
    {"loss", "condition"},  # projection needs a linear score that the loss reads
    {"loss", "latent"},  # codes to read back
    {"loss", "updates"},  # unrolling differentiates a gradient, of which sinkhorn's has no exact derivative
    {"schedule", "loss"},  # r3gan's changes a penalty and Adam's second beta
    {"schedule", "constraint"},
    {"schedule", "optimizer"},
    {"model", "data"},  # convolutions and bounded outputs need images
    {"input", "data"},  # so do augmentations
    {"constraint", "data"},  # and what moves images
    {"input", "condition"},  # packs have no label, no codes and no reconstruction
    {"input", "loss"},
    {"input", "latent"},
]


class LabelledNoise(Noise):
    def batch(self, x: Tensor) -> Batch:
        return Batch(x * 2 - 1, torch.arange(len(x)) % len(CLASSES))


def data_of(shape: tuple[int, ...]) -> RealData:
    train, heldout = (LabelledNoise(shape, BATCH, 0, name) for name in ("train", "heldout"))
    return RealData(
        shape, CLASSES, train, heldout, "noise", lambda n: LabelledNoise(shape, n).batch(*Noise(shape, n).draw(0))
    )


@functools.cache
def options() -> Options:
    return Options(["runtime.threads=1", "log.every_steps=1", "log.samples_every_steps=2", "log.sample_count=4"])


def tiny(chosen: Cell) -> RunConfig:
    """The config of a cell with the smallest networks of their kind."""
    config = options().config(**{group: option for group, option in chosen.items() if group != "data"})
    networks, slow = {}, {}
    for player in ("generator", "critic"):
        network: Part = getattr(config.model, player)
        small = {"width": 4, "hidden": [5] * len(network.arguments.get("hidden", [])), "pieces": 2}
        networks[player] = network.replace(**{key: small[key] for key in small.keys() & network.arguments.keys()})
        optimizer = getattr(
            config.optimizer, player
        )  # SGD's steps are as long as gradients, and f-GAN's are exponentials
        slow[player] = optimizer.replace(lr=1e-7 if optimizer.name == "SGD" else 1e-4)
    updates, few = config.updates.arguments, {"n_critic": 2, "k": 1}
    return config.replace(
        model=config.model.replace(code_size=3, **networks),
        optimizer=config.optimizer.replace(**slow),  # four units die, or explode, at rates that suit hundreds
        updates=config.updates.replace(**{key: min(few[key], updates[key]) for key in few.keys() & updates.keys()}),
        latent=config.latent.replace(size=3),
        train=config.train.replace(batch_size=BATCH, steps=2),
    )


def plan_of(cell: Cell) -> build.Plan:
    return build.check(tiny(cell), SHAPES[cell["data"]], len(CLASSES))


def refusal(cell: Cell) -> str | None:
    try:
        plan_of(cell)
    except UserError as error:
        return str(error)
    return None


def plain(part: Cell) -> Cell:
    """A part of a cell with what its loss brings, and with networks and data that suit each other."""
    cell = {"data": "grey", "schedule": "constant"} | part
    if cell["schedule"] == "r3gan":
        cell = {"loss": "r3gan", "optimizer": "adam", **cell}
    model = "toy_mlp" if cell["data"] == "points" else "dcgan"
    return {"model": model, "condition": "none", "input": "none", **cell}


@pytest.fixture(scope="module")
def array(shared) -> tuple[list[Cell], dict]:
    path = shared / "array.pickle"
    with alone(shared / "array.lock"):
        if not path.exists():
            path.write_bytes(pickle.dumps(covering_array(AXES, plain, refusal)))
    return pickle.loads(path.read_bytes())


def train(cell: Cell) -> None:
    plan = plan_of(cell)
    data = data_of(SHAPES[cell["data"]])
    state = plan.state(data)
    before = {player: [p.clone() for p in params] for player, params in state.params.items()}
    run = Eager(plan.parts.updates, data.train, BATCH, 0, plan.device)
    for _ in range(2):
        for logs in run(state):
            assert all(bool(value.isfinite()) for value in logs.values()), logs
        state.step += 1
    players = ["generator", *(["critic"] if state.game.loss.critic_plays else [])]
    for player in players:
        moved = zip(before[player], state.params[player], strict=True)
        assert any(not torch.equal(old, new) for old, new in moved), f"the {player} never moved"


def train_all(cells: list[Cell]) -> None:
    failed = []
    for cell in cells:
        try:
            train(cell)
        except Exception as error:
            failed.append(f"{' '.join('='.join(item) for item in cell.items())}: {type(error).__name__}: {error}")
    assert not failed, f"{len(failed)} of {len(cells)} cells:\n" + "\n".join(failed)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_pair_of_options_trains_two_steps(array, loss):
    train_all([cell for cell in array[0] if cell.get("loss") == loss])


def test_the_array_holds_every_pair_that_is_not_refused(array):
    cells, refused = array
    held = set().union(*(pairs_of(cell) for cell in cells))
    groups = list(AXES)
    for i, first in enumerate(groups):
        for second in groups[i + 1 :]:
            for pair in product(AXES[first], AXES[second]):
                assert frozenset(zip((first, second), pair, strict=True)) in held | set(refused)
    assert all("loss" in cell for cell in cells)


def test_what_is_refused_is_refused_in_one_line_with_a_fix(array):
    _, refused = array
    for pair, reason in refused.items():
        assert {group for group, _ in pair} in MAY_EXCLUDE, f"{sorted(pair)}: {reason}"
        assert "\n" not in reason
        assert "=" in reason
    assert frozenset({("model", "dcgan"), ("data", "points")}) in refused
    assert frozenset({("loss", "infogan"), ("latent", "normal")}) in refused
    assert frozenset({("loss", "wgan"), ("condition", "projection")}) not in refused
    of_updates = [pair for pair in refused if {group for group, _ in pair} == {"loss", "updates"}]
    assert of_updates == [frozenset({("loss", "sinkhorn"), ("updates", "unrolled")})]


def test_cells_of_the_array_are_whole_runs(array, tmp_path):
    cells = array[0][::12]
    for i, cell in enumerate(cells):
        plan, data = plan_of(cell), data_of(SHAPES[cell["data"]])
        path = tmp_path / str(i)
        path.mkdir()
        Session(plan, directory.RunDirectory(path), data, plan.state(data)).train()
        assert directory.read_status(path)["status"] == "finished", cell
        assert len((path / "metrics.jsonl").read_text().splitlines()) == 2
        assert checkpoint.steps(path / directory.CHECKPOINTS) == [2]
    assert len(cells) > 10


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_the_whole_product_of_loss_constraint_updates_and_model(loss):
    cells = []
    for i, (constraint, updates, model) in enumerate(product(AXES["constraint"], AXES["updates"], AXES["model"])):
        rest = {axis: AXES[axis][i % len(AXES[axis])] for axis in ("condition", "input", "data")}
        cell = {"loss": loss, "constraint": constraint, "updates": updates, "model": model, **rest}
        if refusal(cell) is None:
            cells.append(cell)
        else:
            plainer = plain({axis: cell[axis] for axis in ("loss", "constraint", "updates", "model")})
            assert refusal(plainer) is None, refusal(plainer)
            cells.append(plainer)
    train_all(cells)


def test_a_covering_array_of_a_small_product():
    axes = {"a": ["1", "2", "3"], "b": ["1", "2"], "c": ["1", "2"]}

    def no(cell):
        return "never" if cell.get("a") == "3" and cell.get("b") == "2" else None

    cells, refused = covering_array(axes, lambda part: {"a": "1", "b": "1", "c": "1", **part}, no)
    held = set().union(*(pairs_of(cell) for cell in cells))
    assert len(held) == 3 * 2 + 3 * 2 + 2 * 2 - 1
    assert refused == {frozenset({("a", "3"), ("b", "2")}): "never"}
    assert all(no(cell) is None for cell in cells)
    assert len(cells) <= 8
