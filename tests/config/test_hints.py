"""Mistakes as new users and users of other programs make them: the hint, or none where none is sure to be right."""

import re
import shlex

import pytest

from gan_cli.api.request import requested
from gan_cli.core.text import meant
from tests.helpers import rows

# What is typed | what is meant, in the words that are shown; '-': no hint.
MISTAKES = """\
train lr=0.1 | optimizer.lr=0.1
train learning_rate=1e-4 | optimizer.lr=1e-4
train learning-rate=1e-4 | optimizer.lr=1e-4
train LR=0.1 | optimizer.lr=0.1
train train.lr=0.1 | optimizer.lr=0.1
train lr_g=1e-4 | optimizer.generator.lr=1e-4
train d_lr=4e-4 | optimizer.critic.lr=4e-4
train critic.lr=4e-4 | optimizer.critic.lr=4e-4
train lr=fast | -
train batch_size=32 | train.batch_size=32
train batchSize=32 | train.batch_size=32
train train.batch-size=32 | train.batch_size=32
train n_critic=1 | updates.n_critic=1
train d_updates_per_step=5 | updates.n_critic=5
train n_dis=5 | updates.n_critic=5
train image_size=64 | dataset.image_size=64
train imsize=64 | dataset.image_size=64
train resolution=64 | dataset.image_size=64
train epochs=10 | train.steps=2000
train train.max_epochs=10 | train.steps=2000
train kimg=640 | train.steps=10000
train max_steps=500 | train.steps=500
train stpes=500 | -
train train.stpes=500 | train.steps=500
train gpu=0 | runtime.device=cuda:0
train gpu=many | -
train gpus=2 | -
train device=cuda | runtime.device=cuda
train device=gpu | -
train cuda=true | runtime=cuda
train accelerator=gpu | runtime=cuda
train runtime=gpu | runtime=cuda
train runtime=cuda:1 | runtime.device=cuda:1
train runtime=tpu | -
train precision=bf16 | runtime.precision=bf16
train precision=16 | -
train betas=[0.5,0.9] | optimizer=adam optimizer.generator.betas=[0.5,0.9] optimizer.critic.betas=[0.5,0.9]
train loss=hinge betas=[0,0.9] | optimizer.generator.betas=[0,0.9] optimizer.critic.betas=[0,0.9]
train loss=hinge beta1=0.5 | optimizer.generator.betas=[0.5,0.9] optimizer.critic.betas=[0.5,0.9]
train optimizer=sgd betas=[0,0.9] | optimizer=adam optimizer.generator.betas=[0,0.9] optimizer.critic.betas=[0,0.9]
train momentum=0.9 | optimizer.critic.momentum=0.9
train lambda=10 | constraint=gradient_penalty constraint.weight=10
train loss=wgan_gp lambda_gp=1 | constraint.weight=1
train clip=0.02 | constraint.c=0.02
train loss=hinge clip_value=0.02 | constraint=weight_clip constraint.c=0.02
train r1_gamma=10 | constraint=r1 constraint.gamma=10
train spectral_norm=true | constraint=spectral_norm
train latent_dim=64 | latent.size=64
train nz=64 | latent.size=64
train ngf=32 | model.generator.width=32
train width=32 | model.width=32
train size=64 | -
train seed_everything=1 | seed=1
train ema_decay=0.999 | train.ema_halflife_images=44339
train ema_kimg=10 | train.ema_halflife_images=10000
train wandb=true | log.to=[tensorboard,wandb]
train outdir=runs/mine | run_dir=runs/mine
train dataroot=faces | dataset=folder dataset.path=faces
train 'dataroot=my faces' | dataset=folder dataset.path=my faces
train dataset=folder data_dir=faces | dataset.path=faces
train data=cifar10 | dataset=cifar10
train arch=resnet | model=resnet
train optim=Adam | optimizer=adam
train mirror=true | dataset.flip=true
train log_interval=5 | log.every_steps=5
train every_steps=5 | log.every_steps=5
train save_every=500 | checkpoint.every_steps=500
train accumulate_grad_batches=2 | train.accumulate=2
train num_workers=4 | -
train name=wgan | -
train loss=WGAN | loss=wgan
train loss=wgan-gp | loss=wgan_gp
train loss=WGANGP | loss=wgan_gp
train loss=wgann | loss=wgan
train loss=wgan_lp | loss=wgan_gp constraint=gradient_penalty_one_sided
train loss=dcgan | model=dcgan
train loss=dragan | constraint=dragan
train loss=vanilla | loss=nonsaturating
train loss=sagan | -
train loss=sngan | -
train loss=cgan | -
train model=stylegan2 | -
train model=resnet50 | -
train model=hinge | loss=hinge
train dataset=FashionMNIST | dataset=fashion_mnist
train dataset=fashion-mnist | dataset=fashion_mnist
train dataset=cifar100 | -
train dataset=imagefolder | dataset=folder
train optimizer=Adam | optimizer=adam
train optimizer=adamw | -
train optimizer=RMSProp | optimizer=rmsprop
train constraint=gp | constraint=gradient_penalty
train constraint.weight=10 | -
train updates=alternating updates.burst_n_critic=3 | updates=alternating_5 updates.burst_n_critic=3
train modle=dcgan | model=dcgan
train model.critic.widht=3 | model.critic.width=3
train wgan | loss=wgan
train loss wgan | loss=wgan
train lr 0.1 | optimizer.lr=0.1
train config.yaml | -
train --lr 0.1 | optimizer.lr=0.1
train --lr=0.1 | optimizer.lr=0.1
train -lr 0.1 | optimizer.lr=0.1
train --batch-size 32 loss=hinge | train.batch_size=32
train --seed 1 --epochs 3 | train.steps=2000
train --loss wgan_gp --n_critic 2 | loss=wgan_gp updates.n_critic=2
train --wandb | log.to=[tensorboard,wandb]
train --train.steps 5 | train.steps=5
train --unheard-of 3 | -
train -m lr=0.1,0.2 | optimizer.lr=0.1
train loss=hinge lr=0.1 seed=3 | optimizer.lr=0.1
sample RUN n=16 | count=16
sample RUN num_samples=16 | count=16
sample RUN gpu=0 | device=cuda:0
sample RUN outdir=here | out=here
sample RUN lr=0.1 | -
evaluate RUN extractor=InceptionV3 | -
evaluate RUN extractor=Inception | extractor=inception
resume RUN steps=50 | train.steps=50
resume RUN train.stpes=50 | train.steps=50
resume RUN foo.bar=1 | -
loss=wgan seed=1 | gan train loss=wgan seed=1
ls | runs
tensorboard | board
tran | train
--lr | -
"""
ROWS = rows(MISTAKES)


def shown(line):
    """Return what a line of an error says may be meant; '' where it says nothing."""
    found = re.search(r"; did you mean (?!the key )(.*?)\?(?: |$)|one update of the generator each: (.*)$", line)
    return (found[1] or found[2]) if found else ""


@pytest.mark.parametrize(("typed", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_a_hint_is_what_is_meant_and_composes(typed, expected, refused, run_of):
    run = run_of("ring") if "RUN" in typed else ""
    command, *words = shlex.split(typed.replace("RUN", run))
    line = refused(command, *words)
    if expected == "-":
        assert shown(line) == ""
        return
    if not (meanings := [shlex.split(text) for text in shown(line).split(" or ")])[0]:
        pytest.fail(line)
    assert " ".join(meanings[0]) == expected
    if command not in ("train", "sample", "evaluate", "resume"):
        return
    for hinted in meanings:
        keys = {word.partition("=")[0] for word in hinted}
        kept = [
            word for word in words if "=" in word and not word.startswith("-") and "," not in word.partition("[")[0]
        ]
        kept = [word for word in kept if f"{word}:" not in line and word.partition("=")[0] not in keys]
        if hinted == ["log.to=[tensorboard,wandb]"]:
            pytest.importorskip("wandb", reason="the tracker that is meant is an extra")
        requested(command, [*([f"run={run}"] if run else []), *kept, *hinted])


def test_there_are_enough_mistakes():
    assert len(ROWS) == len(set(ROWS)) >= 60
    assert sum(expected == "-" for _, expected in ROWS) >= 15


@pytest.mark.parametrize(("typed", "key"), [("lr=fast", "optimizer.lr"), ("device=gpu", "runtime.device")])
def test_a_key_is_named_whose_value_does_not_fit(typed, key, refused):
    assert refused("train", typed).endswith(f"{typed}: no such key; did you mean the key {key}?")


def test_many_options_with_a_key_are_listed(refused):
    line = refused("train", "constraint.weight=10")
    assert "; constraint has it with the options dragan, gradient_penalty, " in line


def test_a_key_that_its_class_may_take_is_not_promised(refused):
    assert refused("train", "loss.unheard=1").endswith("; if its class takes it, write +loss.unheard=1")
    assert refused("train", "unheard=1") == "unheard=1: no such key; see `gan train --help`"


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("wgann", ("wgan", "gan"), "wgan"),
        ("wgan-gp", ("wgan_gp", "wgan"), "wgan_gp"),
        ("cifar100", ("cifar10",), None),
        ("gpu", ("cpu",), None),
        ("ab", ("ac", "ad"), None),
        ("Seed", ("seed", "SEED"), None),
        ("quality/mode", ("quality/modes", "quality/kl"), "quality/modes"),
        ("anything", (), None),
    ],
)
def test_a_typing_error_leads_to_one_word(word, known, found):
    assert meant(word, known) == found
