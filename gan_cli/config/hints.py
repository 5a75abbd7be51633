"""What a mistaken word of a command line may mean; a hint is given only where what it says composes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import yaml
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from gan_cli.config import aliases
from gan_cli.config.arguments import flags, key_of
from gan_cli.config.identity import leaves
from gan_cli.config.tree import chosen_groups, groups, option_file, positional_key, primary_config
from gan_cli.core.text import folded, meant, shell_line

Words = list[str]  # overrides that are meant together
_MOST = 3  # meanings that are named
_HALF = math.log(0.5)


class Composer(Protocol):
    """What explanations need of `compose.Composer`, which imports them."""

    command: str

    @property
    def directories(self) -> list[Path]:
        """The directories of configs."""

    def options(self, group: str) -> list[str]:
        """Return the options of a group."""

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """Return the overrides as Hydra reads them."""

    def composed(self, overrides: Sequence[str]) -> DictConfig:
        """Return the composed config; an error of Hydra's is its own."""

    def _replace(self, **values: Any) -> Composer: ...


class Hints:
    """Hints for a command line.

    Args:
        composer: of the command.
        overrides: the command line's, without the mistaken ones; left out of account where they do not compose.
    """

    def __init__(self, composer: Composer, overrides: Sequence[str]) -> None:
        self._composer, self._others = composer, list(overrides)
        primary = primary_config(composer.command)
        named = groups(*composer.directories) if primary else {}
        self._groups = {group: named.get(group, {}) for group in chosen_groups(primary)} if primary else {}
        self._run = ["run=NAME"] if primary and positional_key(primary) == "run" else []

    def of_key(self, override: str) -> str:
        """Return '; did you mean X?' for `key=value` with an unknown key, or ''."""
        key, _, value = override.lstrip("+~").partition("=")
        if folded(_last(key)) in aliases.EPOCHS and "train.steps" in self._now:
            steps = f"train.steps={self._now['train.steps']}"
            return f"; training is counted in steps, one update of the generator each: {steps}"
        return _text(self._first(self._of_key(key, value))) or self._named(key, value) or self._listed(key, value)

    def of_option(self, group: str, name: str) -> str:
        """Return the same for `group=name` with an unknown option."""
        return _text(self._first(self._of_option(group, name)))

    def of_word(self, word: str, following: str = "") -> str:
        """Return the same for a word without a value, such as the name of an option."""
        if not following or "=" in following:
            return _text(self._first(iter([self._options_named(word)])))
        return _text(self._first(iter([[[f"{word}={following}"]], *self._of_key(word, following)])))

    def of_flags(self, words: Sequence[str]) -> str:
        """Return the same for overrides that were typed as flags: `--lr 0.1` as lr=0.1."""
        found: Words = []
        for word in words:
            key, _, value = word.partition("=")
            if folded(_last(key)) in aliases.EPOCHS:
                return self.of_key(word)
            known = [[[word]]] if key in self._now or key in self._groups else []
            meanings = self._first(iter([*known, *self._of_key(key, value)]))
            if len(meanings) != 1:
                return ""
            found += meanings[0]
        return _text([found] if found else [])

    def is_known(self, key: str) -> bool:
        """Return whether the command has a key, or may have it with other options."""
        return key in {*self._now, *self._groups} or bool(self._in_other_options(key, ""))

    def _of_key(self, key: str, value: str) -> Iterator[list[Words]]:
        """Yield what may be meant, the likeliest first; each as the places that it may stand for."""
        name = folded(_last(key))
        yield [computed] if (computed := self._computed(name, value)) else []
        is_switch = name in aliases.SWITCHES and value.casefold() in aliases.TRUE
        yield [aliases.SWITCHES[name].split()] if is_switch else []
        yield self._with_tail(key, value) if "." in key else []
        yield from ([[word.format(value) for word in template.split()]] for template in self._templates(name))
        if (group := aliases.GROUPS.get(name)) in self._groups:
            yield from self._of_option(group, value)
        yield self._with_tail(_last(key), value)
        yield self._in_other_options(key, value)
        parents = {".".join(known.split(".")[:i]) for known in self._now for i in range(1, known.count(".") + 2)}
        yield [[f"{near}={value}"]] if (near := meant(key, parents | set(self._groups))) else []
        beside = {_last(known): known for known in self._now if known.rpartition(".")[0] == key.rpartition(".")[0]}
        yield [[f"{beside[near]}={value}"]] if (near := meant(_last(key), beside)) else []

    def _of_option(self, group: str, name: str) -> Iterator[list[Words]]:
        options = self._composer.options(group)
        yield [[f"{group}={option}"] for option in options if folded(option) == folded(name)]
        alias = aliases.OPTIONS.get(group, {}).get(folded(name))
        yield [alias.split()] if alias else []
        yield [[f"{group}.device={name}"]] if re.fullmatch(r"cuda:\d+", name) else []
        yield self._options_named(name)
        near = None if folded(name) in aliases.NOT_OURS else meant(name, options)
        yield [[f"{group}={near}"]] if near else []

    def _options_named(self, name: str) -> list[Words]:
        """Return the option of this name, or several of as many groups."""
        named = [(group, option) for group in self._groups for option in self._composer.options(group)]
        return [[f"{group}={option}"] for group, option in named if folded(option) == folded(name)]

    def _templates(self, name: str) -> Sequence[str]:
        found = aliases.KEYS.get(name, ())
        chosen = any(key_of(word) == "dataset" for word in self._others)
        return found[1:] if name in aliases.PLACES_OF_DATA and not chosen else found

    def _computed(self, name: str, value: str) -> Words | None:
        """Return overrides whose values are not the typed one."""
        if name in aliases.GPUS:
            key = "runtime.device" if "runtime.device" in self._now else "device"
            return [f"{key}=cuda:{value}"] if value.isdigit() else None
        with suppress(ValueError):
            number, batch = float(value), self._now.get("train.batch_size")
            if name in aliases.BETAS and 0 <= number < 1:
                return self._betas(aliases.BETAS[name], value)
            if name == "kimg" and isinstance(batch, int):
                return [f"train.steps={round(1000 * number / batch)}"]
            if name == "emakimg":
                return [f"train.ema_halflife_images={round(1000 * number)}"]
            if name in aliases.DECAYS and isinstance(batch, int) and 0 < number < 1:
                return [f"train.ema_halflife_images={round(batch * _HALF / math.log(number))}"]
        return None

    def _betas(self, place: int, value: str) -> Words | None:
        keys = [f"optimizer.{player}.betas" for player in ("generator", "critic")]
        has = all(isinstance(self._now.get(key), list) for key in keys)
        pairs = [list(self._now[key]) if has else [0.5, 0.999] for key in keys]  # of optimizer=adam
        for pair in pairs:
            pair[place] = value
        words = [f"{key}=[{','.join(map(str, pair))}]" for key, pair in zip(keys, pairs, strict=True)]
        return words if has else ["optimizer=adam", *words]

    def _with_tail(self, key: str, value: str) -> list[Words]:
        """Return the known keys that end with this one: those at the highest level alone."""
        tail = folded(f".{key}")
        found = [
            known for known in self._now if folded(f".{known}").endswith(tail) and folded(key) not in aliases.VAGUE
        ]
        least = min((known.count(".") for known in found), default=0)
        return [[f"{known}={value}"] for known in found if known.count(".") == least]

    def _in_other_options(self, key: str, value: str) -> list[Words]:
        """Return the options that have a key of this name, with it: of one group, the typed key's if it has one."""
        name, typed = folded(_last(key)), key.partition(".")[0]
        found = []
        for group, options in self._groups.items() if "." not in key or typed in self._groups else ():
            if "." in key and group != typed:
                continue
            for option in options:
                text = option_file(group, option, self._composer.directories).read_text(encoding="utf-8")
                own = yaml.safe_load(text) if name in folded(text) and "_global_" not in text else {}
                keys = [known for known in leaves(own or {}) if folded(_last(known)) == name]
                found += [[f"{group}={option}", f"{group}.{known}={value}"] for known in keys]
        return found if len({words[0].partition("=")[0] for words in found}) == 1 else []

    def _named(self, key: str, value: str) -> str:
        """Return the one known key of this name, whose value does not fit, as a hint, or ''."""
        known = self._with_tail(_last(key), value)
        return f"; did you mean the key {key_of(known[0][0])}?" if len(known) == 1 else ""

    def _listed(self, key: str, value: str) -> str:
        """Return the options that have a key, where they are too many to choose from, as a hint, or ''."""
        good = [words[0].partition("=") for words in self._in_other_options(key, value) if self._composes(words)]
        options = dict.fromkeys(option for *_, option in good)
        return f"; {good[0][0]} has it with the options {', '.join(options)}" if good else ""

    def _first(self, candidates: Iterator[list[Words]]) -> list[Words]:
        """Return the first that is meant somewhere, the places where it composes; [] also for too many of them."""
        for candidate in candidates:
            if len(candidate) <= _MOST and (good := [words for words in candidate if self._composes(words)]):
                return good
        return []

    @cached_property
    def config(self) -> DictConfig:
        """The config that the overrides make; the command's own where they do not compose."""
        for others in (self._others, []):
            with suppress(Exception):
                cfg = self._composer.composed(self._singly(others))
                self._others = others
                return cfg
        return OmegaConf.create()

    @cached_property
    def _now(self) -> dict[str, Any]:
        """The keys that the command has."""
        own = OmegaConf.to_container(self.config, resolve=False)
        return leaves({key: value for key, value in own.items() if key != "hydra"})

    def _composes(self, words: Words) -> bool:
        """Return whether overrides, instead of those with the same keys, make a config with values that fit."""
        known = self._others
        values = {key_of(word): word.partition("=")[2] for word in words}
        others = [word for word in known if key_of(word) not in values]
        others += [] if "run" in map(key_of, others) else self._run
        only_options = values.keys() <= self._groups.keys()  # which are quick to check: their values are ours
        if not only_options and any(not _is_like(self._now.get(key), value) for key, value in values.items()):
            return False
        try:
            cfg = self._composer.composed(self._singly([*others, *words]))
            if not only_options:
                from gan_cli.config.validate import plausible

                plausible(self._composer.command, cfg)
        except Exception:  # whatever is wrong with it
            _ = self._now  # leaves the others out of account where they do not compose
            return self._others != known and self._composes(words)
        return True

    def _singly(self, words: Sequence[str]) -> Words:
        """Return overrides with the first value of each sweep."""
        parsed = self._composer.parse(words)
        return [
            f"{o.get_key_element()}={next(iter(o.sweep_string_iterator()))}" if o.is_sweep_override() else o.input_line
            for o in parsed
        ]


def as_overrides(argv: Sequence[str]) -> tuple[Words, Words]:
    """Separate what was typed as flags that are not ours: `--lr 0.1`, `--lr=0.1` and `-lr 0.1` as lr=0.1.

    Args:
        argv: the arguments of a command.

    Returns:
        the other arguments, and the overrides.
    """
    others: Words = []
    found: Words = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in flags() or not re.fullmatch(r"--?[A-Za-z]\w[\w.-]*", name):
            others.append(word)
            continue
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("--") and "=" not in rest[0] else "true"
        found.append(f"{name.lstrip('-').replace('-', '_')}={value}")
    return others, found


def _text(meanings: Sequence[Words]) -> str:
    shown = [shell_line(*words) for words in meanings]
    return f"; did you mean {' or '.join(shown)}?" if shown else ""


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _is_like(now: Any, text: str) -> bool:
    """Return whether a typed value is of the kind of the present one; null and words leave that open."""
    if isinstance(now, bool):
        return text.casefold() in ("true", "false")
    if isinstance(now, (int, float)):
        with suppress(ValueError):
            return all(math.isfinite(float(part)) for part in text.split(","))
        return text == "auto" or "(" in text
    return not isinstance(now, list) or text.startswith("[")
