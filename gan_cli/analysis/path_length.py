"""How much samples change along a path of z, as an extractor sees it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_cli.analysis.explore.paths import lerp, slerp
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor
from gan_cli.rng import Draws
from gan_cli.training.game import Game
from gan_cli.training.sampling import generate, require_noise

EPSILON = 1e-4  # of a path's length, between the two samples of a pair
OUTLIERS = 0.01  # share of the smallest and of the largest values that are left out


@torch.no_grad()
def path_length(
    game: Game, network: nn.Module, extractor: Extractor, pairs: int, draws: Draws, batch_size: int
) -> float:
    """Return the perceptual path length E |f(G(z(t))) - f(G(z(t + e)))|^2 / e^2 (Karras et al. 2019, section 4.1).

    z(t) goes from one z to another, by slerp or lerp as the prior has it, t is uniform on the whole path, and e is
    1e-4; codes and classes stay. f is the named extractor and the distance is that of its features, where the authors
    take LPIPS; as in their code the hundredth part at both ends is left out.

    Args:
        game: whose prior and condition are used.
        network: the generator or its moving average.
        extractor: loaded.
        pairs: number of pairs of z.
        draws: streams `z` and `t` are used.
        batch_size: pairs at a time.

    Raises:
        UserError: a generator that reads more than z and classes, or an extractor that rounds to 8 bits.
    """
    require_noise(game)
    if extractor.rounds:
        raise UserError(
            f"path_length={pairs}: extractor={extractor.name} reads values of 8 bits, and such a small step does not "
            "change them; use extractor=efficientnet_lite0, or path_length=0"
        )
    first, second = game.latent.sample(2 * pairs, draws).split(pairs)
    second[:, game.latent.size :] = first[:, game.latent.size :]
    t = draws.uniform("t", pairs, 1) * (1 - EPSILON)
    join = slerp if game.latent.between == "slerp" else lerp
    ends = [join(first, second, at) for at in (t, t + EPSILON)]
    y = game.condition.in_turn(pairs, t.device)
    a, b = (torch.cat([extractor(x).x for x in generate(game, network, z, y, batch_size)]) for z in ends)
    return trimmed_mean((a - b).double().square().sum(dim=1) / EPSILON**2)


def trimmed_mean(values: Tensor) -> float:
    """Return the mean of values (N,) without those below their first or above their last percentile."""
    low, high = values.quantile(OUTLIERS), values.quantile(1 - OUTLIERS)
    return float(values[(values >= low) & (values <= high)].mean())
