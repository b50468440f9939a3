"""All that somebody else needs to do it again: recipe, command, versions, hashes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench import report_words
from bench.report_page import Block, Code, Grid, Text
from pipeline.report_recipe import recipe_text
from pipeline.report_rows import Result, manifests_of
from runtime.bundle import Manifest
from speech.counted import counted

#: Columns of a table that can be read.
_MOST_KINDS = 8


@dataclass(frozen=True)
class Origin:
    """What whoever made the results knows of how; empty where nobody told."""

    #: As it was written; its comments are worth keeping.
    recipe: str = ""
    #: What was typed.
    command: str = ""
    #: SHA-256 of models and corpora, by what they are called.
    hashes: Mapping[str, str] = field(default_factory=dict)


def again(results: Sequence[Result], origin: Origin) -> list[Block]:
    manifests = list(manifests_of(results).values())
    blocks: list[Block] = []
    if origin.command:
        blocks += [Text("The command:"), Code(origin.command)]
    if origin.recipe:
        blocks += [Text("The recipe, as it was written:"), Code(origin.recipe.strip("\n"))]
    else:
        blocks += _recipes(manifests)
    blocks += report_words.again([result.measurement for result in results])
    blocks += _made_with(manifests)
    blocks += _hashes(results, origin.hashes)
    return blocks


def _recipes(manifests: Iterable[Manifest]) -> Iterator[Block]:
    """As the bundles have them, in TOML again."""
    recipes: dict[str, str] = {}
    for manifest in manifests:
        recipe = manifest.provenance.get("recipe")
        if isinstance(recipe, Mapping) and isinstance(recipe.get("name"), str):
            recipes[recipe_text(recipe)] = recipe["name"]
    for text, name in recipes.items():
        yield Text(f"The recipe {name}, as its bundles have it, without what goes without saying:")
        yield Code(text)


def _made_with(manifests: Iterable[Manifest]) -> Iterator[Block]:
    """Bundles of one run share all of this; those of several get a column each."""
    kinds: dict[str, dict[str, str]] = {}
    for manifest in manifests:
        versions, seed = manifest.provenance.get("versions"), manifest.provenance.get("seed")
        facts = {} if seed is None else {"seed": str(seed)}
        if isinstance(versions, Mapping):
            facts |= {str(name): str(version) for name, version in versions.items()}
        if facts:
            kinds[json.dumps(facts, sort_keys=True)] = facts
    if len(kinds) > _MOST_KINDS:
        left = counted(len(kinds) - _MOST_KINDS, "column")
        yield Text(f"Seeds and versions differ between the bundles; {left} of them are left out.")
        kinds = dict(list(kinds.items())[:_MOST_KINDS])
    if kinds:
        names = list(dict.fromkeys(name for facts in kinds.values() for name in facts))
        lines = [[name, *(facts.get(name, "") for facts in kinds.values())] for name in names]
        yield Text("The bundles were made with")
        yield Grid(["", *([""] * len(kinds))], lines, [False] * (1 + len(kinds)))


def _hashes(results: Sequence[Result], others: Mapping[str, str]) -> Iterator[Block]:
    bundles = {f"bundle {found.row.name}": found.row.bundle_sha256 for found in results}
    lines = [[name, sha256] for name, sha256 in {**others, **bundles}.items() if sha256]
    if lines:
        yield Text(
            "SHA-256: of a bundle that of its manifest, which has those of its files; of a model "
            "that of its files; of a corpus that of the names and texts of its clips."
        )
        yield Grid(["what", "SHA-256"], lines, [False, False])
