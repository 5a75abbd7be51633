"""Test whether a run's generator repeats itself."""

from __future__ import annotations

from typing import Any

from gan_cli.analysis import figures
from gan_cli.analysis.birthday import Birthday
from gan_cli.analysis.run_collapse import RunCollapse, run_collapse
from gan_cli.commands._results import JSON, as_json, write
from gan_cli.config.arguments import CommandLine
from gan_cli.config.command_schemas import CollapseConfig
from gan_cli.core.places import place, require_suffix
from gan_cli.core.text import say
from gan_cli.extractors.base import Extractor
from gan_cli.session.look import look

COLLAPSE = "collapse"
SHOWN = 100  # classes that are listed


def collapse(config: CollapseConfig, line: CommandLine) -> None:
    """Print the results and a verdict, and write both as JSON beside a picture of the nearest pairs.

    Raises:
        UserError: there is no run, no intact checkpoint, no data to compare with, or no extractor for them.
    """
    require_suffix(config.out, JSON)
    run = look(config)
    found = run_collapse(run, config)
    lines = [line for name, test in found.tests.items() for line in [f"in {name}", *_birthday_lines(test)]]
    lines += _coverage_lines(found)
    say("\n".join([*(f"{key}: {value}" for key, value in found.protocol.items()), "", *lines]))
    out = place(config.out, run.path, COLLAPSE, _name(found.protocol, run.extractor), suffixes=JSON)
    content = {"space": found.space, **_birthday_content(found.tests[found.space])}
    content["others"] = {name: _birthday_content(test) for name, test in found.tests.items() if name != found.space}
    content = {"protocol": found.protocol, "verdict": found.verdict, **content, **_content(found)}
    picture = out.with_suffix(".png")
    write(out.parent, {out.name: as_json(content), picture.name: figures.png(found.picture)})
    say(f"\n{out}\n{picture}\n\n{found.verdict}")


def _birthday_lines(found: Birthday) -> list[str]:
    """Return a birthday test as lines."""
    rows = [f"  batches of {s.size:4}: {s.with_duplicate:4} of {s.batches} have a duplicate" for s in found.sizes]
    at = found.at
    rows.append(
        f"  effective support: {found.support:,.0f}, 95 % interval {found.low:,.0f} to {found.high:,.0f}, from batches "
        f"of {at.size}: the number of equally likely samples that would give as many duplicates"
    )
    return rows


def _coverage_lines(found: RunCollapse) -> list[str]:
    """Return modes and classes as lines."""
    modes, classes = found.modes, found.classes
    rows = []
    if modes is not None:
        rows.append(
            f"modes: {modes.captured} of {modes.total}; high quality {modes.high_quality_share:.3f}; "
            f"KL to uniform {modes.kl_to_uniform:.3f}"
        )
    if classes is not None:
        rows.append(f"classes found: {classes.met} of {len(classes.fake)}; KL to uniform {classes.kl_to_uniform:.3f}")
        if len(classes.fake) <= SHOWN:
            width = max(map(len, found.class_names))
            rows += [
                f"  {name:{width}}  fake {fake:6.3f}  real {real:6.3f}" + ("  missing" if i in classes.missing else "")
                for i, (name, fake, real) in enumerate(
                    zip(found.class_names, classes.fake.tolist(), classes.real.tolist(), strict=True)
                )
            ]
    return rows


def _birthday_content(found: Birthday) -> dict[str, Any]:
    """Return a birthday test as values for JSON."""
    return {
        "sizes": [size._asdict() for size in found.sizes],
        "effective_support": {
            "value": found.support,
            "low": found.low,
            "high": found.high,
            "at_size": found.at.size,
        },
        "near_pairs": {"samples": found.pairs.tolist(), "distances": found.distances.tolist()},
    }


def _content(found: RunCollapse) -> dict[str, Any]:
    """Return modes and classes as values for JSON."""
    modes, classes = found.modes, found.classes
    content: dict[str, Any] = {}
    if modes is not None:
        content["modes"] = modes._asdict()
    if classes is not None:
        content["classes"] = {
            "names": list(found.class_names),
            "fake": classes.fake.tolist(),
            "real": classes.real.tolist(),
            "missing": [found.class_names[i] for i in classes.missing],
            "met": classes.met,
            "kl_to_uniform": classes.kl_to_uniform,
        }
    return content


def _name(protocol: dict[str, Any], extractor: Extractor | None) -> str:
    parts = [f"step_{protocol['step']:010d}", protocol["weights"], *([extractor.name] if extractor else [])]
    return "_".join([*parts, f"seed_{protocol['seed']}"]) + ".json"
