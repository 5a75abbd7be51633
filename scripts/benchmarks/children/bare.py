"""The least a script does for one WGAN step, after which it prints the clock.

python bare.py SIZE CHANNELS WIDTH BATCH THREADS
"""

import os
import sys
import time

import torch

from gan_cli.models.critic import Critic
from gan_cli.models.dcgan import Generator, Trunk

size, channels, width, n, threads = map(int, sys.argv[1:])
torch.set_num_threads(threads)
device = "cuda" if torch.cuda.is_available() else "cpu"
shape = (channels, size, size)
generator = Generator(100, shape, width, norm="batch").to(device)
critic = Critic(Trunk(shape, width, norm="batch"), {}).to(device)
optimize_critic = torch.optim.RMSprop(critic.parameters(), lr=5e-5)
optimize_generator = torch.optim.RMSprop(generator.parameters(), lr=5e-5)
for _ in range(5):
    real = torch.rand(n, *shape, device=device) * 2 - 1
    with torch.no_grad():
        fake = generator(torch.randn(n, 100, device=device))
    optimize_critic.zero_grad()
    (critic(fake).score.mean() - critic(real).score.mean()).backward()
    optimize_critic.step()
    with torch.no_grad():
        for p in critic.parameters():
            p.clamp_(-0.01, 0.01)
optimize_generator.zero_grad()
(-critic(generator(torch.randn(n, 100, device=device))).score.mean()).backward()
optimize_generator.step()
next(generator.parameters()).sum().item()
print(time.monotonic(), flush=True)
os._exit(0)
