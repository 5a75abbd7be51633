"""Every task with every option of the other groups: two steps, or a refusal in one line; and an exact resume."""

import pytest
import torch

from gan_cli.data.source import Batch
from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.conftest import CONF, OF_TASKS, options
from tests.data.small_sets import write_tagged
from tests.helpers import Labelled
from tests.session.test_exact_resume import assert_exact
from tests.tasks.made_pairs import write_pairs

SHAPE = (1, 16, 16)
SHAPES = {"tag": ((6,), 0, (5,))}  # of a sample, number of classes, of a source
SMALL = ("model.width=4", "train.batch_size=4", "train.steps=2", "model.critic.halvings=1")
TASKS = {  # each with what its option does not choose
    "restore": ("model=srresnet", "model.generator.blocks=1"),
    "translate": (),
    "tag": ("extractor=pixels", "dataset.min_count=1", "task.draws=3", "model.critic.hidden=[8]", "task.vector_size=4"),
    "cycle": ("dataset@dataset_b=fashion_mnist_10k", "dataset_b.image_size=16", "model.generator.blocks=1"),
}
GROUPS = ("loss", "constraint", "updates", "input", "condition", "optimizer")
PERCEPTRONS = {("tag", "ebgan"), ("tag", "began")}  # they make auto-encoders of what they read
REFUSED = {  # what is refused -> why; with one task, or with all
    **{("loss", loss): "auto-encoder|must take latent_size" for loss in ("ebgan", "began")},
    ("loss", "infogan"): "latent=infogan",
    ("input", "pack"): "needs the source of each",
    ("tag", "input", "ada"): "augments images",
    ("tag", "constraint", "bcr"): "moves images",
    ("cycle", "updates", "simultaneous"): r"updates=alternating, or task\.history=0",
    ("tag", "loss", "none"): "the generator would have nothing to minimise",
    ("tag", "input", "diffaugment"): "images",
    **{
        (task, "condition", name): "needs labels"
        for task in ("cycle", "tag")
        for name in options("condition")
        if name != "none"
    },
}


def overrides_of(task, *more):
    small = [word for word in SMALL if not (word.startswith("model.critic") and task in ("restore", "tag"))]
    return [f"task={task}", "dataset.image_size=16", *TASKS[task], *small, *more]


def test_the_tasks_are_those_of_the_options():
    assert {path.stem for path in (CONF / "task").glob("*.yaml")} == {"generate", *TASKS}


class Sourced(Labelled):
    """Noise with sources: its reflection of images, its first numbers of vectors."""

    def batch(self, x) -> Batch:
        real = super().batch(x)
        return real._replace(source=real.x[:, :5] if x.dim() == 2 else -real.x.flip(3))


def shapes_of(task):
    return SHAPES.get(task) or (SHAPE, 0 if task == "cycle" else 3, SHAPE if task == "translate" else None)


def two_steps(plan, shapes):
    state = plan.state_for(*shapes)
    kind = Labelled if shapes[2] is None else Sourced
    run = Eager(plan.parts.updates, kind(shapes[0], 4), 4, 0, plan.device)
    for _ in range(2):
        assert all(bool(value.isfinite()) for logs in run(state) for value in logs.values())
        state.step += 1
    return state


CELLS = [(task, group, option) for task in TASKS for group in GROUPS for option in options(group)]
CELLS += [(task, "loss", "none") for task in TASKS]


def _reason(task, group, option):
    """Why a cell is refused, or None."""
    return REFUSED.get((task, group, option)) or (
        None if (task, option) in PERCEPTRONS else REFUSED.get((group, option))
    )


@pytest.mark.parametrize(("task", "group", "option"), CELLS, ids=["-".join(cell) for cell in CELLS])
def test_every_option_trains_with_every_task_or_is_refused(config_of, task, group, option):
    shapes = shapes_of(task)
    short = ["updates.k=1"] if option == "unrolled" else ["updates=alternating"] if group == "loss" else []
    config = config_of(*overrides_of(task, f"{group}={option}", *short))
    if (reason := _reason(task, group, option)) is not None:
        with pytest.raises(UserError, match=reason):
            build.check(config, *shapes)
    else:
        two_steps(build.check(config, *shapes), shapes)


@pytest.mark.parametrize("task", TASKS)
def test_a_run_of_every_task_resumes_exactly(config_of, tmp_path, monkeypatch, task):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    steps = ("train.steps=5", "checkpoint.every_steps=3", "log.every_steps=2", "log.samples_every_steps=3")
    few = ["dataset.limit=40", *(("dataset_b.limit=40", "task.history=6") if task == "cycle" else ())]
    few += [f"dataset.path={write_pairs(tmp_path / 'pairs')}"] if task == "translate" else []
    few += (*write_tagged(tmp_path), "task.content_weight=1", "task.content_target=mean") if task == "tag" else ()
    assert_exact(config_of(*overrides_of(task, *steps, *few)), tmp_path, monkeypatch)


@pytest.mark.parametrize("model", sorted(OF_TASKS["model"]))
def test_a_model_that_reads_a_picture_needs_a_task_that_gives_one(config_of, model):
    with pytest.raises(UserError, match=r"reads a picture, and task=Generate gives it none: task=restore"):
        build.check(config_of(f"model={model}", "dataset.image_size=16"), SHAPE, 0)


def test_a_model_that_reads_z_alone_is_refused_where_there_is_a_picture(config_of):
    with pytest.raises(UserError, match=r"reads z alone, and task=Restore gives it a picture: model=unet"):
        build.check(config_of("task=restore", "model=dcgan", "dataset.image_size=16"), SHAPE, 0)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("loss=none",), "loss=NoGame: the generator would have nothing to minimise; task=restore"),
        (("latent=none",), "latent=NoNoise: the generator would have nothing to read: latent=normal"),
        (("degradation=blur",), "degradation (Blur): task=Generate does not use it; leave it out"),
        (("task=cycle",), "task=Cycle: needs dataset_b=OPTION (see `gan list dataset`)"),
        (
            ("task=restore", "dataset.image_size=18"),
            "factor=4 does not divide images of 18 x 18: dataset.image_size=16",
        ),
        (("task=restore", "degradation=grey"), "the images are grey already"),
        (("task=restore", "model=unet"), "unet writes images of the size that it reads"),
        (("task=restore", "dataset=ring"), "degrades images, and the data are points"),
        (
            ("task=translate",),
            "dataset=pairs needs a directory of pictures of two halves side by side, A | B; or, with",
        ),
        (("task=translate", "dataset=ring"), "dataset=Ring has no pairs: dataset=pairs dataset.path=DIRECTORY, or"),
        (("task=restore", "dataset=pairs"), "task=restore makes what the generator reads, and dataset=Pairs brings it"),
        (("task=translate", "task.content_weight=0", "task.adversarial_weight=0"), "would have nothing to minimise"),
    ],
)
def test_mistakes(refused, overrides, expected):
    assert expected in refused("train", *overrides)


def test_z_is_a_further_channel_of_the_picture(config_of):
    config = config_of(*overrides_of("restore", "latent=normal", "latent.size=3"))
    state = build.check(config, SHAPE, 0).state_for(SHAPE, 0)
    source = torch.zeros(2, 1, 4, 4)
    z = torch.randn(2, 3)
    assert state.game.generator.first[0].in_channels == 1 + 3
    assert not torch.equal(state.game.generate(z, source=source), state.game.generate(-z, source=source))


def test_the_sources_are_drawn_by_the_step_and_the_sample(config_of):
    config = config_of(*overrides_of("restore", "degradation=noise", "degradation.std=0.1"))
    game = build.check(config, SHAPE, 0).state_for(SHAPE, 0).game
    real = Labelled(SHAPE, 4).batch(*Labelled(SHAPE, 4).draw(0))
    draws = Draws("cpu", 0, 5, 1)
    whole = game.read(real, draws).source
    part = game.read(type(real)(real.x[2:], real.y[2:]), draws.rows(2, 4)).source
    assert torch.equal(part, whole[2:])
    assert not torch.equal(whole, game.read(real, Draws("cpu", 0, 6, 1)).source)
