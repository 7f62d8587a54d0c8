"""revivid makes video small and brings it back sharp.

    import revivid

    revivid.compress("clip.mp4", "small.mp4", crf=28, scale="1/4")
    revivid.restore("small.mp4", "restored.mp4")
    report = revivid.evaluate("clip.mp4", "restored.mp4")
    result = revivid.roundtrip("clip.mp4", "out/")

    for clip in revivid.open_video("clip.mp4"):     # a few frames at a time, with exact times
        ...

Names are imported when first used, so that `import revivid` is fast and torch comes late.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Public name -> the module that defines it.
_PUBLIC = {
    "Clip": "types",
    "ColorSpec": "types",
    "HdrMetadata": "types",
    "VideoInfo": "types",
    "Recipe": "recipe",
    "StageSpec": "recipe",
    "RevividError": "errors",
    "open_video": "learned.opening",
    "probe": "learned.opening",
    "compress": "workflows.compress",
    "plan_compress": "workflows.compress",
    "restore": "workflows.restore",
    "plan_restore": "workflows.restore",
    "roundtrip": "workflows.roundtrip",
    "plan_roundtrip": "workflows.roundtrip",
    "evaluate": "workflows.evaluate",
    "restore_clips": "workflows.restore",
    "write_video": "workflows.write",
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from .errors import RevividError as RevividError
    from .learned.opening import open_video as open_video
    from .learned.opening import probe as probe
    from .recipe import Recipe as Recipe
    from .recipe import StageSpec as StageSpec
    from .types import Clip as Clip
    from .types import ColorSpec as ColorSpec
    from .types import HdrMetadata as HdrMetadata
    from .types import VideoInfo as VideoInfo
    from .workflows.compress import compress as compress
    from .workflows.compress import plan_compress as plan_compress
    from .workflows.evaluate import evaluate as evaluate
    from .workflows.restore import plan_restore as plan_restore
    from .workflows.restore import restore as restore
    from .workflows.restore import restore_clips as restore_clips
    from .workflows.roundtrip import plan_roundtrip as plan_roundtrip
    from .workflows.roundtrip import roundtrip as roundtrip
    from .workflows.write import write_video as write_video


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'revivid' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
