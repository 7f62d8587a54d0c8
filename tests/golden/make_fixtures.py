"""Make the small golden cases of this folder from a full set: `python make_fixtures.py SOURCE NAME [NAME ...]`.

SOURCE holds NAME.json (network, constructor arguments, seed, input, published keys with shape and type, tolerance) and NAME.npz
(the published implementation's output in float32). The output is cropped to at most `SIDE` rows and columns, which every
layer of the network still reaches, and the case written without white space.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

#: Rows and columns kept of each output.
SIDE = 24


def shrink(source: Path, name: str, target: Path) -> None:
    """Write one case to `target`, its output cropped around the middle."""
    case = json.loads((source / f"{name}.json").read_text())
    output = np.load(source / f"{name}.npz")["output"]
    spans = case["output_crop"] or [[0, extent] for extent in output.shape[-2:]]
    crop, kept = [], []
    for (start, _), extent in zip(spans, output.shape[-2:], strict=True):
        inside = max(0, (extent - SIDE) // 2)
        kept.append(slice(inside, inside + min(SIDE, extent)))
        crop.append([start + kept[-1].start, start + kept[-1].stop])
    case["output_crop"] = crop
    (target / f"{name}.json").write_text(json.dumps(case, separators=(",", ":")) + "\n")
    np.savez_compressed(target / f"{name}.npz", output=output[(Ellipsis, *kept)])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for case_name in sys.argv[2:]:
        shrink(Path(sys.argv[1]), case_name, Path(__file__).parent / "cases")
