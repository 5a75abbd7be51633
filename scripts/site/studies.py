"""What a study trains and claims, in the place of the keys of its YAML file."""

from __future__ import annotations

from typing import Any

from page_text import plain, table

from gan_cli.studies.measured import Claim


def about(content: dict[str, Any]) -> list[str]:
    """Return the time, runs, claims and notes of a study; [] of the option that runs all of them."""
    if not content:
        return []
    forms = {"every run": "common", "every run, quick form": "quick", "every run, full form": "full"}
    overrides = {f"`{name}`": words for name, words in content["runs"].items()}
    overrides |= {f"`... {name}`": words for name, words in content.get("each", {}).items()}
    overrides |= {title: content[key] for title, key in forms.items() if content.get(key)}
    runs = [(name, " ".join(f"`{word}`" for word in words)) for name, words in overrides.items()]
    claims = [_row(Claim(**claim)) for claim in content["claims"].values()]
    return [
        f"The quick form takes about {content['minutes']} minutes on two CPU cores.\n",
        table(["claim", "published", "holds if", "source"], claims),
        f"{plain(content.get('notes', ''))}\n",
        table(["run", "overrides"], runs),
    ]


def _row(claim: Claim) -> tuple[str, ...]:
    return plain(claim.text), plain(str(claim.published)), plain(claim.tolerance), plain(claim.source)
