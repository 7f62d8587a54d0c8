"""IFI-RNN: recurrent video deblurring that iterates on its hidden state within each frame.

Nah, Son, Lee: "Recurrent Neural Networks with Intra-Frame Iterations for Video Deblurring", CVPR 2019; the variant C2H3 (two
cells, three iterations). The authors published neither code nor weights, so no licence applies.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..layers.mirror import mirror
from ..layers.residual import channels_last
from .checks import check_clip
from .streaming import State, Streaming
from .traits import Traits

HIDDEN = 20
FEATURES = 60
ITERATIONS = 3


class Residual(nn.Module):
    """x + conv(relu(conv(x))), 3x3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        convs = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.main_branch = nn.Sequential(next(convs), nn.ReLU(inplace=True), next(convs))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.main_branch(x)


class Cell(nn.Module):
    """The layers of one cell: frame features `F_B`, mixing `F_R`, next state `F_h` and, in the last cell, the picture `F_L`."""

    def __init__(self, makes_pictures: bool) -> None:
        super().__init__()
        wide = FEATURES + HIDDEN
        self.F_B = nn.Sequential(
            nn.Conv2d(3, 20, 5, 1, 2), nn.Conv2d(20, 40, 5, 2, 2), nn.Conv2d(40, FEATURES, 5, 2, 2)
        )  # fmt: skip
        self.F_R = nn.Sequential(*(Residual(wide) for _ in range(6)))
        self.F_h = nn.Sequential(nn.Conv2d(wide, HIDDEN, 3, 1, 1), Residual(HIDDEN), nn.Conv2d(HIDDEN, HIDDEN, 3, 1, 1))
        if makes_pictures:
            self.F_L = nn.Sequential(
                nn.ConvTranspose2d(wide, 40, 3, 2, 1, output_padding=1),
                nn.ConvTranspose2d(40, 20, 3, 2, 1, output_padding=1),
                nn.Conv2d(20, 3, 5, 1, 2),
            )

    def forward(self, features: Tensor, hidden: Tensor) -> Tensor:
        """Frame features (N, 60, h, w) and the hidden state (N, 20, h, w) -> mixed features (N, 80, h, w)."""
        return self.F_R(torch.cat((features, hidden), dim=1))


class IFIRNN(Streaming, nn.Module):
    """Clip (N, T, 3, H, W), BGR, (v - 127.5) / 255 of 8-bit values -> the same shape and units, not clamped. Any size.

        frame -+- F_B -> cell 0 --h-> cell 1 --h-> cell 1 --h-> cell 1 --h-> next frame
               +- F_B of cell 1, once for its three steps           +-> F_L -> picture

    Causal: a frame depends on itself and all frames before it. Pictures are mirrored at the bottom and right to multiples of 4
    and the result cropped. There are no hyper-parameters. Raises `ShapeError` for inputs that aren't such clips.
    """

    traits = Traits(
        tasks=("deblur",), kind="clip", temporal_reach=None, channel_order="bgr", mean=0.5, licence="no published weights",
        streams=True, size_multiple=4, bytes_per_pixel=270, state_bytes_per_pixel=FEATURES / 4 + HIDDEN / 4,
        paper='Nah et al., "Recurrent Neural Networks with Intra-Frame Iterations for Video Deblurring", CVPR 2019',
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.rnncell0 = Cell(makes_pictures=False)
        self.rnncell1 = Cell(makes_pictures=True)

    def forward(self, clip: Tensor) -> Tensor:
        """(N, T, 3, H, W) -> (N, T, 3, H, W)."""
        check_clip("IFI-RNN", clip)
        return self.run(clip, list(range(clip.shape[1])))

    def step(self, frame: Tensor, state: State) -> tuple[Tensor, State]:
        """One frame (N, 3, H, W) -> its picture, and the mixed features of its last iteration (N, 80, H/4, W/4) for the next."""
        height, width = frame.shape[2:]
        for axis in (2, 3):
            frame = mirror(frame, axis, -(-frame.shape[axis] // 4) * 4, repeat_edge=False)
        frame = channels_last(frame)
        first, second = self.rnncell0, self.rnncell1
        if state:
            hidden = second.F_h(channels_last(state[0]))
        else:
            hidden = channels_last(frame.new_zeros(frame.shape[0], HIDDEN, frame.shape[2] // 4, frame.shape[3] // 4))
        hidden = first.F_h(first(first.F_B(frame), hidden))
        features = second.F_B(frame)
        mixed = second(features, hidden)
        for _ in range(ITERATIONS - 1):
            mixed = second(features, second.F_h(mixed))
        return second.F_L(mixed)[..., :height, :width], (mixed,)
