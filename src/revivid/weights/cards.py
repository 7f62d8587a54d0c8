"""The cards of the embedded weights: what each does, how it was made, what was measured, and where it ends.

Words and figures are in embedded/cards.json, which docs/cards.py makes; the rest is read from the file itself.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from . import embedded


def card(name: str) -> dict[str, Any]:
    """The card of the embedded weights `name`, lines by their headings. Raises `MissingWeights` and `CorruptWeights`."""
    metadata, tensors = embedded.load(name)
    path = embedded.folder() / f"{name}.safetensors"
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    known = _known(name, sha256)
    minutes = known.get("minutes")
    return {
        "does": known.get("does", ""),
        "network": metadata.network,
        "hyper-parameters": ", ".join(f"{key} {value}" for key, value in metadata.hyperparameters.items()) or "the defaults",
        "parameters": f"{sum(tensor.numel() for tensor in tensors.values()):,}",
        "kMAC per pixel": known.get("kmacs_per_pixel") or "not counted",
        "data": metadata.trained_on,
        "sources": [f"{kind}: {licences}" for kind, licences in known.get("sources", {}).items()],
        "recipe": f"{metadata.recipe} (`revivid train {metadata.recipe}`)" if metadata.iterations else "none: not trained",
        "iterations": f"{metadata.iterations:,}",
        "training time": "not noted" if minutes is None else f"{minutes} minutes",
        "date": metadata.date,
        "licence": metadata.licence,
        "int8": "calibrated" if metadata.ranges else "not calibrated",
        "measured": [_figure(figure) for figure in known.get("figures", ())] or "not yet for this version",
        "limits": known.get("limits", []),
        "sha256": sha256,
        "size": f"{len(content):,} bytes",
        "file": str(path),
    }


def _known(name: str, sha256: str) -> dict[str, Any]:
    """What docs/cards.py knew of these weights; without figures where the file is another one by now."""
    path = embedded.folder() / "cards.json"
    cards = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    found = cards.get(name, {})
    return found if found.get("sha256", sha256) == sha256 else {**found, "figures": (), "minutes": None}


def _figure(figure: dict[str, Any]) -> str:
    gains = ", ".join(f"{gain:+.2f} over {baseline}" for baseline, gain in figure["gains"].items())
    measured = f"{figure['of']}: {figure['psnr_y']:.2f} dB PSNR-Y" + (f", {gains}" if gains else "")
    return f"{measured} ({figure['clips']} clips, {figure['results']})"
