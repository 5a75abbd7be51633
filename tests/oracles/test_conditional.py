"""What a conditional generator is asked for is what it makes, by the eye of a small classifier."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.training.eager import Eager
from gan_cli.training.sampling import sample

pytestmark = pytest.mark.slow

SIZE = 16  # pixels
STEPS = 4000
RECIPE = (
    "dataset.holdout=1000", f"dataset.image_size={SIZE}", "model.width=16", "optimizer.lr=5e-4", "train.batch_size=64",
    "train.ema_halflife_images=3000", "updates=alternating",
)  # fmt: skip
LOSSES = {"concat": "nonsaturating", "projection": "hinge", "auxiliary_classifier": "nonsaturating"}


@pytest.fixture(scope="module")
def classifier() -> tuple[nn.Module, float]:
    """A network of three convolutions and its accuracy on images it has not seen."""
    from gan_cli.data.images import FashionMNIST10k

    torch.set_num_threads(1)
    data = FashionMNIST10k(SIZE, holdout=1000).open(100, 0, torch.device("cpu"))
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in ((1, 24), (24, 48), (48, 96)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(96 * (SIZE // 8) ** 2, 10))
    steps = 6 * data.train.size // 100
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for k in range(steps):
        real = data.train.batch(*data.train.draw(k))
        optimizer.zero_grad()
        cross_entropy(network(real.x), real.y).backward()
        optimizer.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        heldout = [data.heldout.batch(*data.heldout.draw(k)) for k in range(10)]
        right = torch.cat([network(real.x).argmax(1) == real.y for real in heldout])
    return network, float(right.float().mean())


def trained(config_of, *overrides: str) -> tuple[Tensor, Tensor]:
    """Return 1,000 samples of a generator and the classes that were asked for."""
    plan = build.check(config_of(*RECIPE, f"train.steps={STEPS}", *overrides))
    data = plan.open()
    state = plan.state(data)
    run = Eager(plan.parts.updates, data.train, 64, 0, plan.device)
    for _ in range(STEPS):
        run(state)
        state.step += 1
    y = torch.arange(1000) % 10
    return torch.cat(list(sample(state.game, state.best_generator(), 1000, Draws("cpu", 0, "sample"), y=y))), y


@pytest.mark.parametrize("condition", LOSSES)
def test_samples_are_of_the_class_that_was_asked_for(config_of, classifier, condition):
    network, on_real = classifier
    x, y = trained(config_of, f"condition={condition}", f"loss={LOSSES[condition]}")
    with torch.no_grad():
        named = network(x).argmax(1)
    accuracy = float((named == y).float().mean())
    spread = float(x.unflatten(0, (100, 10)).std(dim=0).mean())  # of a class's samples: 0 for one picture each
    print(f"{condition}: {accuracy:.1%} of 1,000 samples are of their class (real: {on_real:.1%}), spread {spread:.2f}")
    assert accuracy >= 0.85
    assert spread > 0.1
