"""Time our WGAN step against a textbook PyTorch loop, interleaved in one process: A B A B, medians and ratio.

The textbook loop is what public GAN scripts do: a DataLoader with two workers, eager float32 in the default memory
format, a clamp for every parameter, `.item()` for the log in every step. Networks, data, batch size and n_critic are
the same. Prints a Markdown table; --json FILE keeps the numbers.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch.utils.data import DataLoader, TensorDataset

from gan_cli import build, hardware
from gan_cli.confdir import conf_dir
from gan_cli.training.engine import Eager


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64], help="image sizes")
    parser.add_argument("--steps", type=int, default=3, help="generator updates a measurement")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each loop")
    parser.add_argument("--json", type=Path, help="keep the numbers here")
    parser.add_argument("overrides", nargs="*", help="of gan train, such as model.width=32")
    arguments = parser.parse_args()
    results = [measure(size, arguments) for size in arguments.sizes]
    print(table(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def measure(size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Time both loops in turn and return seconds a step and their ratio."""
    settings = settings_of([f"dataset.image_size={size}", *arguments.overrides])
    plan = build.check(settings)
    hardware.apply(plan.settings["runtime"])
    data = plan.dataset.open(settings["train"]["batch_size"], settings["seed"], plan.device)
    loops = {
        "gan": ours(plan, data),
        "textbook": textbook(plan, data),
    }
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for step in loops.values():
        step()  # warm-up
    for _ in range(arguments.rounds):
        for name, step in loops.items():
            began = time.perf_counter()
            for _ in range(arguments.steps):
                step()
            seconds[name].append((time.perf_counter() - began) / arguments.steps)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratios = [b / a for a, b in zip(seconds["gan"], seconds["textbook"], strict=True)]
    return {
        "size": size,
        "seconds_per_step": medians,
        "speed_ratio": statistics.median(ratios),
        "speed_ratios": ratios,
        "runtime": plan.settings["runtime"],
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "date": date.today().isoformat(),
    }


def settings_of(overrides: list[str]) -> dict[str, Any]:
    """Compose `gan train loss=wgan model=dcgan OVERRIDES`."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = compose("train", overrides=["loss=wgan", "model=dcgan", *overrides])
    return OmegaConf.to_container(config, resolve=True)


def ours(plan: build.Plan, data: Any) -> Callable[[], None]:
    """Return our step: the engine's, with finite-number watch and averages left to the run."""
    state = build.state(plan.settings, data.shape, plan.device)
    batch_size, seed = plan.settings["train"]["batch_size"], plan.settings["seed"]
    run = Eager(build.updates(plan.settings), data.train, batch_size, seed, plan.device)

    def step() -> None:
        run(state)
        state.step += 1
        if plan.device.type == "cuda":
            torch.cuda.synchronize()

    return step


def textbook(plan: build.Plan, data: Any) -> Callable[[], None]:
    """Return the step of a loop written without us, on networks of the same classes."""
    settings, device = plan.settings, plan.device
    state = build.state(settings, data.shape, device)
    generator = state.game.generator.to(memory_format=torch.contiguous_format)
    critic = state.game.critic.to(memory_format=torch.contiguous_format)
    lr, c, n = settings["optimizer"]["lr"], settings["constraint"]["c"], settings["train"]["batch_size"]
    optimize_critic = torch.optim.RMSprop(critic.parameters(), lr=lr)
    optimize_generator = torch.optim.RMSprop(generator.parameters(), lr=lr)
    images = data.fixed(data.train.size or 10_000).x.cpu()
    loader = DataLoader(TensorDataset(images), n, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)
    batches: Iterator[list[torch.Tensor]] = (batch for _ in count() for batch in loader)
    size = settings["latent"]["size"]

    def step() -> None:
        for _ in range(settings["updates"]["n_critic"]):
            real = next(batches)[0].to(device)
            optimize_critic.zero_grad()
            fake = generator(torch.randn(n, size, device=device)).detach()
            loss = critic(fake).score.mean() - critic(real).score.mean()
            loss.backward()
            optimize_critic.step()
            for p in critic.parameters():
                p.data.clamp_(-c, c)
        optimize_generator.zero_grad()
        generator_loss = -critic(generator(torch.randn(n, size, device=device))).score.mean()
        generator_loss.backward()
        optimize_generator.step()
        loss.item(), generator_loss.item()

    return step


def table(results: list[dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    rows = [
        "| image size | gan, s/step | textbook loop, s/step | times as fast | runtime |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        seconds, runtime = result["seconds_per_step"], result["runtime"]
        where = f"{runtime['device']}, {runtime['precision']}, {runtime['threads']} threads"
        rows.append(
            f"| {result['size']} | {seconds['gan']:.3f} | {seconds['textbook']:.3f} "
            f"| {result['speed_ratio']:.2f} | {where} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    main()
