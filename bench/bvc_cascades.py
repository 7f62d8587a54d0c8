"""Cascades and ablations of the second paper, trained for minutes and measured: results/bvc-cascades.json

python bench/bvc_cascades.py SCENES MASTERS --runs DIR [--iterations 100] [--clips 2]

SCENES is a folder that `revivid train bvc-cascade` has made pairs in, MASTERS one for `revivid bench bvc`. What is trained already
is kept. Trainings this short tell that everything runs, not how good it would become.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path

from revivid.bench.bvc import Options, learned_codec
from revivid.networks.bvc_cascade import DEBLURRERS
from revivid.train import loop
from revivid.train.recipe import load_recipe
from revivid.train.scenes import Scene, files, held_out, load, source_of

#: Scenes that are learnt from, and held out.
SCENES, HELD_OUT = 40, 2
SHORT = (
    "train.batch=2", "train.patch=64", "train.frames=3", "train.warmup=10", "train.ema=0.9", "codec.compensation_from=0.05",
    "codec.residual_from=0.1",
)  # fmt: skip
#: Only the deblurring network learns: nothing is coded at any time.
ALONE = tuple(f"codec.{key}_from=1.0" for key in ("motion", "compensation", "residual", "clips"))
#: Arm -> its recipe and what is changed of it.
RUNS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{name: ("bvc-cascade", (f"network.deblurrer={name}", *ALONE)) for name in DEBLURRERS},
    **{
        f"{order}-{name}-{supervision}": (
            "bvc-cascade",
            (f"network.order={order}", f"network.deblurrer={name}", f"codec.supervision={supervision}"),
        )
        for order, name, supervision in product(("dc", "cd"), DEBLURRERS, ("end", "intermediate"))
    },
    "own": ("bvc-compact-venet", ()),
    "no-aeblur": ("bvc-compact-venet", ("network.blur_coding=false",)),
    "no-frnet": ("bvc-compact-venet", ("network.refine=false",)),
    "lwarp": ("bvc-compact-venet", ("codec.motion_loss=warp",)),
}


def scenes_of(folder: Path) -> list[Scene]:
    """A few, spread over the folder, so that they load in seconds."""
    paths = files(folder)
    kept = [path for path in paths if held_out(source_of(path))]
    others = [path for path in paths if path not in kept]
    return load([*others[:: max(len(others) // SCENES, 1)][:SCENES], *kept[:: max(len(kept) // HELD_OUT, 1)][:HELD_OUT]])


def trained(name: str, scenes: list[Scene], iterations: int, runs: Path) -> Path:
    """The weights of a run, trained where they aren't there yet."""
    recipe_name, changes = RUNS[name]
    weights = runs / name / f"{recipe_name}.safetensors"
    if not weights.exists():
        (runs / name).mkdir(parents=True, exist_ok=True)
        length = (f"train.iterations={iterations}", f"train.validate_every={iterations}")
        recipe = load_recipe(recipe_name, (*SHORT, *length, *changes))
        loop.Training(recipe, scenes, runs / name).finish(lambda line: print(name, json.dumps(line), flush=True))
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenes", type=Path)
    parser.add_argument("masters", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--only", nargs="*", default=list(RUNS), metavar="RUN")
    parser.add_argument("--out", type=Path, default=Path("results/bvc-cascades.json"))
    chosen = parser.parse_args()
    scenes = scenes_of(chosen.scenes)
    files = tuple((name, trained(name, scenes, chosen.iterations, chosen.runs)) for name in chosen.only)
    pairs = product((name for name, _ in files if name in DEBLURRERS), ("x265", "bvc"))
    shelf = [arm for name, codec in pairs for arm in (f"{name}+{codec}", f"{codec}+{name}")]
    arms = ("x265", "deblur+x265", *shelf, *(name for name, _ in files if name not in DEBLURRERS))
    options = Options(
        chosen.masters, chosen.out, chosen.cache or chosen.runs / "cache", chosen.frames, chosen.clips, quick=True, workers=1,
        arms=arms, files=files,
    )  # fmt: skip
    results = learned_codec(options, lambda line: print(line, flush=True))
    about = f"Each run has {chosen.iterations} iterations of 2 samples of 64x64 pixels, of {len(scenes)} scenes"
    changes = {name: ["--set " + change for change in (*SHORT, *RUNS[name][1])] for name, _ in files}
    results |= {
        "about": f"{about} (`python bench/bvc_cascades.py SCENES MASTERS --iterations {chosen.iterations}`); such short ones tell"
        " that all of it runs, and nothing about how good it becomes.",
        "iterations": chosen.iterations,
        "recipes": {name: {"recipe": RUNS[name][0], "changes": changes[name]} for name, _ in files},
    }
    chosen.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
