"""What other programs, and users, call our keys, options and commands; names are compared by `core.text.folded`.

The programs: PyTorch's DCGAN example, PyTorch-GAN, pytorch-CycleGAN-and-pix2pix, mimicry, StudioGAN, stylegan3,
Lightning, Hugging Face's Trainer.
"""

from __future__ import annotations

from gan_cli.core.text import folded

_PENALTY = ("constraint.weight={}", "constraint=gradient_penalty constraint.weight={}")
_CLIP = ("constraint.c={}", "constraint=weight_clip constraint.c={}")
_BETAS = "optimizer.generator.betas={} optimizer.critic.betas={}"

# Names, and what to try in turn with the typed value: the first that composes is meant.
_KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("lr learning_rate base_lr", ("optimizer.lr={}",)),
    ("lr_g g_lr glr generator_lr lr_generator gen_lr lr_gen", ("optimizer.generator.lr={}",)),
    (
        "lr_d d_lr dlr discriminator_lr lr_discriminator disc_lr lr_disc critic_lr lr_critic",
        ("optimizer.critic.lr={}",),
    ),
    ("betas adam_betas", (_BETAS, f"optimizer=adam {_BETAS}")),
    ("batch batch_size bs minibatch_size per_device_train_batch_size", ("train.batch_size={}", "batch_size={}")),
    (
        "steps num_steps n_steps max_steps total_steps train_steps training_steps iterations num_iterations "
        "max_iterations iters n_iters num_iters max_iter max_iters total_iters",
        ("train.steps={}",),
    ),
    (
        "n_critic num_critic critic_iters critic_steps critic_updates n_dis num_dis d_steps num_d_steps d_iters "
        "dis_iters d_updates_per_step discriminator_steps",
        ("updates.n_critic={}",),
    ),
    ("accumulate_grad_batches gradient_accumulation_steps grad_accum accumulation_steps", ("train.accumulate={}",)),
    (
        "image_size img_size imsize img_sz img_resolution resolution load_size",
        ("dataset.image_size={}", "image_size={}"),
    ),
    ("latent_dim latent_size z_dim dim_z nz noise_dim z_size", ("latent.size={}",)),
    ("ngf g_conv_dim", ("model.generator.width={}",)),
    ("ndf d_conv_dim", ("model.critic.width={}",)),
    ("width base_channels", ("model.width={}",)),
    ("clip clip_value clipping weight_clip clip_weights weight_clipping wc_bound", _CLIP),
    ("lambda lambda_ lambda_gp gp_lambda gp_weight gp_scale gp_coeff lambda_term", _PENALTY),
    ("r1_gamma gamma_r1", ("constraint=r1 constraint.gamma={}",)),
    ("device", ("runtime.device={}", "device={}")),
    ("num_threads n_threads", ("runtime.threads={}",)),
    ("random_seed manual_seed rng_seed seed_everything", ("seed={}",)),
    (
        "outdir out_dir output_dir save_dir log_dir workdir work_dir results_dir outf default_root_dir",
        ("run_dir={}", "out={}"),
    ),
    ("data_root dataroot data_dir train_dir", ("dataset.path={}", "dataset=folder dataset.path={}")),
    ("hflip random_flip horizontal_flip mirror", ("dataset.flip={}",)),
    ("save_every save_freq save_steps save_interval checkpoint_every ckpt_every", ("checkpoint.every_steps={}",)),
    (
        "log_every log_freq log_steps log_interval log_every_n_steps logging_steps print_freq print_every",
        ("log.every_steps={}",),
    ),
    ("sample_every sample_freq sample_interval vis_every display_freq", ("log.samples_every_steps={}",)),
    ("eval_every eval_freq eval_steps eval_interval", ("evaluate.every_steps={}",)),
    ("n num n_samples num_samples sample_size n_images num_images", ("count={}",)),
    ("class classes label labels cls class_idx", ("y={}",)),
    ("trials num_trials", ("sweep.search.n_trials={}",)),
)
KEYS = {folded(name): templates for names, templates in _KEYS for name in names.split()}

SWITCHES = {  # what `name=true` means
    folded(name): words
    for names, words in (
        ("wandb use_wandb", "log.to=[tensorboard,wandb]"),
        ("mlflow use_mlflow", "log.to=[tensorboard,mlflow]"),
        ("cuda use_cuda use_gpu", "runtime=cuda"),
        ("cpu no_cuda use_cpu", "runtime=cpu"),
        ("sn use_sn spectral_norm use_spectral_norm", "constraint=spectral_norm"),
        ("gp use_gp gradient_penalty", "constraint=gradient_penalty"),
        ("ema use_ema", "train.ema_halflife_images=10000"),
        ("diffaug diffaugment", "input=diffaugment"),
        ("bf16", "runtime.precision=bf16"),
        ("tf32", "runtime.precision=tf32"),
    )
    for name in names.split()
}

GROUPS = {  # what other programs call a group
    folded(name): group
    for group, names in {
        "dataset": "data dataset dataset_name",
        "model": "arch architecture backbone net network model_name",
        "loss": "gan_type gan_mode gan_loss adv_loss adversarial_loss criterion objective loss_fn loss_type",
        "optimizer": "optim opt optimizer_name optimizer_type",
        "latent": "prior",
        "constraint": "penalty regularizer regularization reg",
        "input": "aug augment augmentation",
        "schedule": "scheduler lr_scheduler lr_schedule lr_policy",
        "runtime": "accelerator",
    }.items()
    for name in names.split()
}

OPTIONS = {  # what other programs call an option, by group
    "runtime": {"gpu": "runtime=cuda"},
    "loss": {
        "wganlp": "loss=wgan_gp constraint=gradient_penalty_one_sided",
        "rsgan": "loss=rgan",
        "rasgan": "loss=ragan",
        "vanilla": "loss=nonsaturating",
        "bce": "loss=nonsaturating",
        "logistic": "loss=nonsaturating",
        "minimax": "loss=gan",
        "ns": "loss=nonsaturating",
        "nsgan": "loss=nonsaturating",
    },
    "dataset": {"fmnist": "dataset=fashion_mnist", "imagefolder": "dataset=folder", "hf": "dataset=huggingface"},
    "constraint": {"sn": "constraint=spectral_norm", "gp": "constraint=gradient_penalty"},
    "latent": {"gaussian": "latent=normal"},
    "updates": {"sgda": "updates=simultaneous", "alternate": "updates=alternating"},
}

NOT_OURS = ("adamw", "resnext", "srresnext", "bgan")  # a letter from one of ours, and no typing error


def _names(text: str) -> frozenset[str]:
    return frozenset(map(folded, text.split()))


EPOCHS = _names("epoch epochs num_epochs n_epochs max_epochs nepochs num_train_epochs")
GPUS = _names("gpu gpu_id gpu_ids cuda_device device_id")
DECAYS = _names("ema_decay ema_beta ema_rate")
PLACES_OF_DATA = _names("data_root dataroot data_dir train_dir")
BETAS = {"b1": 0, "beta1": 0, "adambeta1": 0, "b2": 1, "beta2": 1, "adambeta2": 1}  # and its place in the pair
VAGUE = _names("size name mode type path count k")  # keys of several meanings
TRUE = ("true", "yes", "on", "1", "")

COMMANDS = {
    "ls": "runs",
    "tensorboard": "board",
    "tb": "board",
    "fit": "train",
    "generate": "sample",
    "continue": "resume",
    "eval": "evaluate",
    "fid": "evaluate",
}
