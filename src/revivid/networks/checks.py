"""Checks that the networks share: hyper-parameters and inputs that can't work are named before any computing."""

from __future__ import annotations

from torch import Tensor

from ..errors import ShapeError, UsageError


def check_clip(network: str, clip: Tensor, *, channels: int = 3, frames: int | None = None) -> None:
    """Raise `ShapeError` unless `clip` is (N, T, channels, H, W) and not empty, with `frames` frames where that is given."""
    if clip.ndim != 5 or clip.shape[2] != channels or 0 in clip.shape or frames not in (None, clip.shape[1]):
        wanted = f"(N, {'T' if frames is None else frames}, {channels}, H, W)"
        raise ShapeError(f"{network} takes clips {wanted}, not {tuple(clip.shape)}")


def check_no_path(**paths: object) -> None:
    """Raise `UsageError` for published hyper-parameters that name a file of weights to start from."""
    for name, path in paths.items():
        if path is not None:
            raise UsageError(
                f"{name}={path!r}: a network is built without reading files",
                hint="Leave it out; load_published loads the weights, those of the flow network included.",
            )


def check_positive(network: str, **numbers: int) -> None:
    """Raise `UsageError` for a count or width under 1."""
    for name, number in numbers.items():
        if number < 1:
            raise UsageError(f"{network} can't have {name}={number}", hint="It must be at least 1.")
