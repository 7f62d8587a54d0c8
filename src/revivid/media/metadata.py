"""Where a recipe travels inside a file: a tag that every player ignores and every remuxer keeps.

Matroska takes a tag of our own name. MP4 knows only a fixed list of tags, of which `keywords` is the one that is hardly used by
anybody; a prefix tells ours from other people's. QuickTime (.mov) has no keywords: there it is the comment.
"""

from __future__ import annotations

from .. import limits

_MATROSKA_TAG = "REVIVID"
_PREFIX = "revivid:"
_SHARED_TAGS = ("keywords", "comment")


def recipe_tag(muxer: str, recipe_json: str, tags: dict[str, str]) -> dict[str, str]:
    """The tag to write for libavformat's `muxer` (`mp4`, `matroska`, `mov` ...), given the `tags` that are there already."""
    if muxer in ("matroska", "webm", "nut"):
        return {_MATROSKA_TAG: recipe_json}
    name = "comment" if muxer == "mov" else "keywords"
    theirs = tags.get(name, "").split(_PREFIX)[0].strip()
    return {name: f"{theirs} {_PREFIX}{recipe_json}".strip()}


def extract_recipe(tags: dict[str, str]) -> str | None:
    """The recipe's JSON text among a container's tags, or None. Oversized text is ignored: it is not ours."""
    lowered = {key.lower(): value for key, value in tags.items()}
    text = lowered.get(_MATROSKA_TAG.lower())
    for name in _SHARED_TAGS:
        if text is None and _PREFIX in lowered.get(name, ""):
            text = lowered[name].split(_PREFIX, 1)[1]
    if text is None or len(text) > limits.MAX_METADATA_BYTES:
        return None
    return text


def without_recipe(tags: dict[str, str]) -> dict[str, str]:
    """Tags to carry along: all but the recipe (the output gets its own) and what the muxer writes itself."""
    own = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", _MATROSKA_TAG.lower()}
    kept = {key: value for key, value in tags.items() if key.lower() not in own}
    for key, value in list(kept.items()):
        if key.lower() in _SHARED_TAGS and _PREFIX in value:
            rest = value.split(_PREFIX)[0].strip()
            kept.pop(key)
            if rest:
                kept[key] = rest
    return kept
