"""The textbook loops: what public GAN scripts do, on networks of our shapes made of torch's own layers.

A DataLoader with two workers that resizes and normalises each picture as it is asked for, eager float32 in the default
memory format, torch's optimizers, `.item()` for the log in every step. Each loss is written as its scripts write it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose, Normalize, Resize, ToTensor

from benchmarks.cases import Case, Step, pictures
from gan_cli.models.derivatives import Differentiated

IN_MEMORY = 1000  # pictures, where they are held in memory: reading them one by one takes long


class Pictures(Dataset):
    """28 x 28 pictures, resized and normalised one by one.

    Args:
        size: S of the (C, S, S) float32 images in [-1, 1].
        channels: C.
    """

    def __init__(self, size: int, channels: int) -> None:
        self.images = pictures(channels)
        self.transform = Compose([Resize(size), ToTensor(), Normalize([0.5] * channels, [0.5] * channels)])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        """Return one image."""
        image = self.images[index]
        return self.transform(Image.fromarray(image if image.shape[-1] > 1 else image[..., 0]))


class Scores(nn.Module):
    """The critic as its scripts have it: images (N, C, S, S) -> scores (N,)."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores."""
        return self.critic(x).score


class Textbook:
    """What the loops share.

    Args:
        case: the config: sizes, learning rates and n_critic are its own.
        loader: batches from the DataLoader; False: gathered from float32 images in memory, as no public script does.
    """

    def __init__(self, case: Case, loader: bool = True) -> None:
        self.config, self.device = case.plan.config, case.plan.device
        game = case.state().game
        self.generator = _of_torch(game.generator)
        self.critic = Scores(_of_torch(game.critic))
        self.n, self.z_size = self.config.train.batch_size, game.latent.total_size
        self.n_critic = self.config.updates.arguments.get("n_critic", 1)
        channels, size, _ = case.shape
        self.batches = self._loaded(size, channels) if loader else self._gathered(size, channels)

    def _loaded(self, size: int, channels: int) -> Iterator[Tensor]:
        data = Pictures(size, channels)
        loader = DataLoader(data, self.n, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)
        return (batch for _ in count() for batch in loader)

    def _gathered(self, size: int, channels: int) -> Iterator[Tensor]:
        data = Pictures(size, channels)
        images = torch.stack([data[i] for i in range(IN_MEMORY)]).to(self.device)
        return (images[torch.randint(len(images), (self.n,), device=self.device)] for _ in count())

    def real(self) -> Tensor:
        """Return the next real batch."""
        return next(self.batches).to(self.device)

    def z(self) -> Tensor:
        """Draw the prior noise of a batch."""
        return torch.randn(self.n, self.z_size, device=self.device)

    def adam(self, network: nn.Module) -> torch.optim.Adam:
        """Return the network's Adam with the paper's settings."""
        given = self.config.optimizer.critic.arguments
        return torch.optim.Adam(network.parameters(), lr=given["lr"], betas=tuple(given["betas"]))

    def move_generator(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the Wasserstein generator's step."""
        optimizer.zero_grad()
        (-self.critic(self.generator(self.z())).mean()).backward()
        optimizer.step()


def _of_torch(network: nn.Module) -> nn.Module:
    """Make a network's layers torch's own, in the default memory format; the weights stay."""
    for module in network.modules():
        if isinstance(module, Differentiated):
            module.__class__ = next(base for base in type(module).__bases__ if base is not Differentiated)
    return network.to(memory_format=torch.contiguous_format)


def wgan(case: Case, loader: bool = True) -> Step:
    """Wasserstein GAN: RMSprop, and a clamp for each parameter after each critic update."""
    of = Textbook(case, loader)
    lr, c = of.config.optimizer.lr, of.config.constraint.arguments["c"]
    optimize_critic = torch.optim.RMSprop(of.critic.parameters(), lr=lr)
    optimize_generator = torch.optim.RMSprop(of.generator.parameters(), lr=lr)

    def step() -> None:
        for _ in range(of.n_critic):
            optimize_critic.zero_grad()
            fake = of.generator(of.z()).detach()
            critic_loss = of.critic(fake).mean() - of.critic(of.real()).mean()
            critic_loss.backward()
            optimize_critic.step()
            for p in of.critic.parameters():
                p.data.clamp_(-c, c)
        of.move_generator(optimize_generator)
        critic_loss.item()

    return step


def wgan_gp(case: Case, loader: bool = True) -> Step:
    """Wasserstein GAN with gradient penalty: Adam, and the penalty by torch.autograd.grad."""
    of = Textbook(case, loader)
    lambda_ = of.config.constraint.arguments["weight"]
    optimize_critic, optimize_generator = of.adam(of.critic), of.adam(of.generator)

    def penalty(real: Tensor, fake: Tensor) -> Tensor:
        alpha = torch.rand(of.n, 1, 1, 1, device=of.device)
        between = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
        scores = of.critic(between)
        (gradient,) = torch.autograd.grad(scores, between, torch.ones_like(scores), create_graph=True)
        return ((gradient.view(of.n, -1).norm(2, dim=1) - 1) ** 2).mean()

    def step() -> None:
        for _ in range(of.n_critic):
            optimize_critic.zero_grad()
            real, fake = of.real(), of.generator(of.z()).detach()
            critic_loss = of.critic(fake).mean() - of.critic(real).mean() + lambda_ * penalty(real, fake)
            critic_loss.backward()
            optimize_critic.step()
        of.move_generator(optimize_generator)
        critic_loss.item()

    return step


def nonsaturating(case: Case, loader: bool = True) -> Step:
    """DCGAN: Adam and BCEWithLogitsLoss; one batch of fakes serves both updates, as in DCGAN scripts."""
    of = Textbook(case, loader)
    criterion = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(of.n, device=of.device), torch.zeros(of.n, device=of.device)
    optimize_critic, optimize_generator = of.adam(of.critic), of.adam(of.generator)

    def step() -> None:
        optimize_critic.zero_grad()
        real_loss = criterion(of.critic(of.real()), ones)
        real_loss.backward()
        fake = of.generator(of.z())
        fake_loss = criterion(of.critic(fake.detach()), zeros)
        fake_loss.backward()
        optimize_critic.step()
        optimize_generator.zero_grad()
        generator_loss = criterion(of.critic(fake), ones)
        generator_loss.backward()
        optimize_generator.step()
        (real_loss + fake_loss).item()

    return step


LOOPS = {"wgan": wgan, "wgan_gp": wgan_gp, "nonsaturating": nonsaturating}
