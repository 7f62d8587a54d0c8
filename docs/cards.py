"""Makes the cards of the embedded weights: python docs/cards.py [--check] [--run FOLDER]

    docs/cards.toml (words), results/*.json (figures), the files' headers -> src/revivid/weights/embedded/cards.json

`revivid weights show` prints them. Run it whenever weights or results change. Figures of other weights than those in the package
are left out: results/quality.json names each file's sha256, the other results name the training. --run notes how long the
training in FOLDER took, in results/training.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from revivid import networks
from revivid.weights import embedded

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
WORDS, RESULTS, TIMES = ROOT / "docs" / "cards.toml", ROOT / "results", ROOT / "results" / "training.json"
CARDS = ROOT / "src" / "revivid" / "weights" / "embedded" / "cards.json"


def cards() -> dict[str, Any]:
    """The card of each file in the package."""
    words = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    minutes = _json(TIMES)["minutes"]
    return {name: _card(name, metadata, words, minutes) for name, metadata in embedded.describe().items()}


def _card(name: str, metadata: embedded.Metadata, words: dict[str, Any], minutes: dict[str, float]) -> dict[str, Any]:
    sha256 = hashlib.sha256((embedded.folder() / f"{name}.safetensors").read_bytes()).hexdigest()
    network: Any = networks.build(metadata.network, **metadata.hyperparameters)
    traits = network.traits
    frames = 1 + sum(traits.temporal_reach or (0, 0))
    task = words["tasks"].get(traits.tasks[0] if traits.tasks else "", words["tasks"]["other"])
    figures = [*_quality(name, sha256), *_masters(name, metadata)]
    return {
        "does": task["does"].format(scale=traits.scale, frames=frames),
        "limits": task["limits"],
        "sources": words["sources"],
        "kmacs_per_pixel": _kmacs(metadata),
        "minutes": minutes.get(f"{name} {metadata.iterations}"),
        "figures": figures,
        # Whose figures they are; a file without any may change without its card.
        **({"sha256": sha256} if figures else {}),
    }


def _kmacs(metadata: embedded.Metadata) -> float | None:
    """Thousands of multiplications and additions per output pixel, where results/macs.json counted this network."""
    asked = (metadata.network, metadata.hyperparameters)
    counted = _json(RESULTS / "macs.json")["weights"].values()
    return next((c["kmacs_per_pixel"] for c in counted if (c["network"], c["hyperparameters"]) == asked), None)


def _quality(name: str, sha256: str) -> Iterator[dict[str, Any]]:
    """What `revivid bench quality` measured of this very file: mean PSNR-Y, and the gain over each baseline."""
    for task, section in _json(RESULTS / "quality.json")["tasks"].items():
        if section.get("weights", {}).get(name, {}).get("sha256") != sha256:
            continue
        for setting, measured in section["settings"].items():
            arm = measured["arms"].get(name)
            if arm is not None:
                yield {
                    "of": f"{task}, {setting}",
                    "psnr_y": arm["mean"]["psnr_y"],
                    "gains": arm.get("gains", {}),
                    "clips": len(section["clips"]),
                    "results": "results/quality.json",
                }


def _masters(name: str, metadata: embedded.Metadata) -> Iterator[dict[str, Any]]:
    """What bench/quality_sr.py measured of this training."""
    for path in sorted(RESULTS.glob("*.json")):
        measured = _json(path).get("networks", {})
        found = measured.get(name) if isinstance(measured, dict) else None
        if found is None or not all(found.get("weights", {}).get(key) == getattr(metadata, key) for key in embedded.KEYS):
            continue
        for crf, values in found["crf"].items():
            mean = values["mean"]
            yield {
                "of": f"super-resolve, x265 medium CRF {crf}",
                "psnr_y": mean["network"],
                "gains": {"bicubic": mean["gain"]},
                "clips": len(values["clips"]),
                "results": f"results/{path.name}",
            }


def note_run(folder: Path) -> None:
    """Add the minutes of a training to results/training.json."""
    minutes, done = 0.0, 0
    for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        minutes += (entry["iteration"] - done) / entry["iterations_per_second"] / 60
        done = entry["iteration"]
    times = _json(TIMES)
    times["minutes"] |= {f"{path.stem} {done}": round(minutes) for path in folder.glob("*.safetensors")}
    times["minutes"] = dict(sorted(times["minutes"].items()))
    TIMES.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the cards are up to date")
    parser.add_argument("--run", type=Path, help="note the time of the training in this folder first")
    arguments = parser.parse_args()
    if arguments.run:
        note_run(arguments.run)
    text = json.dumps(cards(), indent=1, sort_keys=True) + "\n"
    if arguments.check:
        sys.exit(0 if CARDS.is_file() and CARDS.read_text(encoding="utf-8") == text else "cards.json is old: python docs/cards.py")
    CARDS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
