"""Cascades of a deblurring network and a codec, the second paper's rivals (section 4.2), to be trained together.

    order "dc": B -> deblurrer -> x^ -> codec -> x        order "cd": B -> codec -> decoded B -> deblurrer -> x
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from ..errors import UsageError
from ..layers.mirror import mirror
from .bvc import RATES, Bvc
from .bvc_compact import CellUNet
from .gao import Gao
from .ifirnn import IFIRNN
from .traits import Traits


class VENet(nn.Module):
    """The compact codec's VENet alone: R'G'B' (N, 3, H, W) in [0, 1] -> the same, sharper, not clamped; any size."""

    traits = Traits(
        tasks=("deblur",), kind="image", size_multiple=16, tile_multiple=16, bytes_per_pixel=150, licence="Apache-2.0"
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.residual = CellUNet((48, 96, 128), down=(1, 1), middle=3, up=(1, 1))

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        for axis in (2, 3):
            image = mirror(image, axis, -(-image.shape[axis] // 16) * 16, repeat_edge=False)
        return (image + self.residual(image))[..., :height, :width]


#: What may deblur in a cascade; all of a size that a CPU trains.
DEBLURRERS: dict[str, Callable[[], nn.Module]] = {"venet": VENet, "gao": lambda: Gao(width=8), "ifirnn": IFIRNN}


class BvcCascade(nn.Module):
    """`deblurrer` (a name of `DEBLURRERS`) before or behind the compact BVC without VENet, as `order` says.

    The parts are trained together (`train.cascade`) and used one by one: `deblurrer` restores clips, `codec` is a model's network.
    Raises `UsageError` for other words.
    """

    def __init__(self, order: str = "dc", deblurrer: str = "venet", rates: int = RATES) -> None:
        super().__init__()
        if order not in ("dc", "cd") or deblurrer not in DEBLURRERS:
            raise UsageError(
                f"there is no cascade of order {order!r} with {deblurrer!r}", hint=f"Orders: dc, cd; {', '.join(DEBLURRERS)}."
            )
        self.order = order
        self.deblurrer = DEBLURRERS[deblurrer]()
        self.codec = Bvc("compact", rates, venet=False)
        self.borrowed = {f"codec.{part}": weights for part, weights in self.codec.borrowed.items()}
        self.traits = Traits(
            tasks=("compress",), kind="cascade", temporal_reach=None, licence="Apache-2.0",
            paper="Argaw, Kim, Kweon: Blurry Video Compression, WACV 2024",
        )  # fmt: skip

    def deblur(self, clip: Tensor) -> Tensor:
        """A clip R'G'B' (N, T, 3, H, W) in [0, 1], sharper, not clamped."""
        traits: Traits = self.deblurrer.traits  # type: ignore[assignment]
        given = clip.flip(2) if traits.channel_order == "bgr" else clip
        given = (given - traits.mean) / traits.std
        if traits.kind == "image":
            given = given.flatten(0, 1)
        sharp = self.deblurrer(given).reshape(clip.shape).float() * traits.std + traits.mean
        return sharp.flip(2) if traits.channel_order == "bgr" else sharp

    def update_tables(self) -> None:
        """As `Bvc.update_tables`."""
        self.codec.update_tables()
