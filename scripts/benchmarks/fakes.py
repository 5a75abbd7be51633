"""All fakes of a step from one forward pass of the generator, or a pass for each critic update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.cases import Case, case, config_of
from benchmarks.options import Options
from benchmarks.report import table
from benchmarks.timing import in_turn, median_ratio, medians
from gan_cli.session import build, runtime

UPDATES = 5
TITLE = "One forward pass for the fakes of five critic updates"
ABOUT = f"""\
The generator does not change during the critic's {UPDATES} updates, so one forward pass could make all their fakes.
The table compares the time of this pass, without gradients, with {UPDATES} passes of one batch each. Above 1, one pass
is faster. Batch norm uses the statistics of the whole pass here, which cost as much as those of each batch."""


def measure(options: Options) -> dict[str, Any]:
    """Time both for DCGAN at each size and for the perceptrons of the toy sets."""
    cases = {f"dcgan, {s} x {s} x 1": case("wgan", s, 1, options.overrides) for s in options.sizes}
    cases["toy_mlp, points"] = _points(options)
    rows = []
    for name, chosen in cases.items():
        seconds = in_turn(_ways(chosen), options.rounds, 2 * options.steps)
        ratio = median_ratio(seconds["many"], seconds["one"])
        rows.append({"name": name, "rounds": seconds, "seconds": medians(seconds), "ratio": ratio})
        options.show(f"one pass for all fakes, {name}: {ratio:.2f}")
    return {"rows": rows}


def _points(options: Options) -> Case:
    overrides = [word for word in options.overrides if not word.startswith(("model", "dataset"))]
    plan = build.check(config_of(["loss=wgan", "model=toy_mlp", "dataset=ring", *overrides]))
    runtime.apply(plan.config.runtime)
    return Case(plan, (2,))


def _ways(chosen: Case) -> dict[str, Callable[[], None]]:
    game, n = chosen.state().game, chosen.plan.config.train.batch_size
    z = torch.randn(UPDATES * n, game.latent.total_size, device=chosen.plan.device)

    def passes(parts: int) -> Callable[[], None]:
        @torch.no_grad()
        def run() -> None:
            for part in z.chunk(parts):
                game.generate(part)
            if z.is_cuda:
                torch.cuda.synchronize()

        return run

    return {"one": passes(1), "many": passes(UPDATES)}


def tables(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    rows = [
        [
            row["name"],
            f"{row['seconds']['one'] * 1e3:.2f}",
            f"{row['seconds']['many'] * 1e3:.2f}",
            f"**{row['ratio']:.2f}**",
        ]
        for row in result["rows"]
    ]
    return table(["generator", "one pass, ms", f"{UPDATES} passes, ms", "five over one"], rows)
