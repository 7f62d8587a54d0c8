"""ESTRNN: recurrent video deblurring with residual dense blocks and attention over neighbouring frames' features.

Zhong, Gao, Zheng, Zheng: "Efficient Spatio-Temporal Recurrent Neural Network for Video Deblurring", ECCV 2020. Published
weights (BSD data set): MIT.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError, UsageError
from ..layers.mirror import mirror
from ..layers.rdb import Activation, ResidualDenseBlock
from ..layers.residual import channels_last
from .checks import check_clip, check_positive
from .published import renamed
from .streaming import State, Streaming
from .traits import Traits

ACTIVATIONS: dict[str, Activation] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "leakyrelu": lambda x: F.leaky_relu(x, 0.1),
}
DENSE_LAYERS = 3


class Downsampling(nn.Module):
    """A residual dense block, then a 5x5 convolution to half the size and twice the channels."""

    def __init__(self, channels: int, growth: int, activation: Activation) -> None:
        super().__init__()
        self.rdb = ResidualDenseBlock(channels, growth, DENSE_LAYERS, activation)
        self.down_sampling = nn.Conv2d(channels, 2 * channels, 5, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_sampling(self.rdb(x))


class DenseBlocks(nn.Module):
    """Residual dense blocks in series, all their outputs fused."""

    def __init__(self, channels: int, growth: int, blocks: int, activation: Activation) -> None:
        super().__init__()
        self.RDBs = nn.ModuleList(ResidualDenseBlock(channels, growth, DENSE_LAYERS, activation) for _ in range(blocks))
        self.conv1x1 = nn.Conv2d(blocks * channels, channels, 1)
        self.conv3x3 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for block in self.RDBs:
            x = block(x)
            outputs.append(x)
        return self.conv3x3(self.conv1x1(torch.cat(outputs, dim=1)))


class Cell(nn.Module):
    """One recurrent step: frame (N, 3, H, W) and state (N, n, H/4, W/4) -> features (N, 5n, H/4, W/4) and the next state."""

    def __init__(self, n: int, blocks: int, activation: Activation) -> None:
        super().__init__()
        self.F_B0 = nn.Conv2d(3, n, 5, 1, 2)
        self.F_B1 = Downsampling(n, n, activation)
        self.F_B2 = Downsampling(2 * n, int(1.5 * n), activation)
        self.F_R = DenseBlocks(5 * n, 2 * n, blocks, activation)
        self.F_h = nn.Sequential(
            nn.Conv2d(5 * n, n, 3, padding=1),
            ResidualDenseBlock(n, n, DENSE_LAYERS, activation),
            nn.Conv2d(n, n, 3, padding=1),
        )

    def forward(self, frame: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        down = self.F_B2(self.F_B1(self.F_B0(frame)))
        features = self.F_R(torch.cat((down, state), dim=1))
        return features, self.F_h(features)


class Apply(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Activation) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Fusion(nn.Module):
    """Global spatio-temporal attention: a centre frame's features with those of its neighbours, weighed by channel."""

    def __init__(self, n: int, frames: int, activation: Activation) -> None:
        super().__init__()
        self.F_f = nn.Sequential(nn.Linear(10 * n, 20 * n), Apply(activation), nn.Linear(20 * n, 10 * n))
        self.F_p = nn.Sequential(nn.Conv2d(10 * n, 20 * n, 1), nn.Conv2d(20 * n, 10 * n, 1))
        self.condense = nn.Conv2d(10 * n, 5 * n, 1)
        self.fusion = nn.Conv2d(frames * 5 * n, frames * 5 * n, 1)

    def forward(self, neighbours: list[Tensor], center: Tensor) -> Tensor:
        """Neighbours in time order and the centre, (N, 5n, h, w) each -> (N, frames*5n, h, w)."""
        weight, bias = self._projection()
        parts = []
        for neighbour in neighbours:
            pair = torch.cat((center, neighbour), dim=1)
            gate = self.F_f(pair.mean(dim=(2, 3))).sigmoid()
            parts.append(self.condense(gate[:, :, None, None] * F.conv2d(pair, weight, bias)))
        return self.fusion(torch.cat((*parts, center), dim=1))

    def _projection(self) -> tuple[Tensor, Tensor]:
        """The two 1x1 convolutions of `F_p`, between which there is nothing, as one with a quarter of the work."""
        w0, b0, w1, b1 = self.F_p.parameters()
        w0, w1 = w0.flatten(1), w1.flatten(1)
        return (w1 @ w0)[:, :, None, None], w1 @ b0 + b1


class ESTRNN(Streaming, nn.Module):
    """Clip (N, T, 3, H, W), BGR, (v - 127.5) / 255 of 8-bit values -> its frames P .. T-1-Q, same units, not clamped.

        frames -> cell (recurrent) -> features h -> fusion of h[t-P .. t+Q] -> transposed convolutions -> frame t

    P = `past_frames`, Q = `future_frames`: the call restores no frame nearer to the ends, as published; `restore_clip` restores
    every frame of a clip of any length, mirrored in time. A frame depends on all frames before it and Q after. Pictures are
    mirrored at the bottom and right to multiples of 4 and the result cropped.

    Published: 16 features, 15 blocks. Raises `UsageError` for hyper-parameters that can't work and `ShapeError` for inputs that
    aren't such clips or shorter than P + Q + 1 frames.
    """

    def __init__(
        self, n_features: int = 16, n_blocks: int = 15, past_frames: int = 2, future_frames: int = 2, activation: str = "gelu"
    ) -> None:
        super().__init__()
        check_positive("ESTRNN", n_features=n_features, n_blocks=n_blocks)
        if past_frames < 0 or future_frames < 0:
            raise UsageError(f"ESTRNN can't have past_frames={past_frames}, future_frames={future_frames}")
        if activation not in ACTIVATIONS:
            raise UsageError(f"ESTRNN has no activation {activation!r}", hint=f"Known: {', '.join(ACTIVATIONS)}.")
        n, frames, function = n_features, past_frames + future_frames + 1, ACTIVATIONS[activation]
        self.n_features, self.past_frames, self.future_frames = n_features, past_frames, future_frames
        self.cell = Cell(n, n_blocks, function)
        self.fusion = Fusion(n, frames, function)
        self.recons = nn.ModuleDict({
            "model": nn.Sequential(
                nn.ConvTranspose2d(frames * 5 * n, 2 * n, 3, 2, 1, output_padding=1),
                nn.ConvTranspose2d(2 * n, n, 3, 2, 1, output_padding=1),
                nn.Conv2d(n, 3, 5, 1, 2),
            )
        })  # fmt: skip
        self.traits = Traits(
            tasks=("deblur",), kind="clip", temporal_reach=None, min_frames=frames, channel_order="bgr", mean=0.5,
            streams=True, extends=(past_frames, future_frames), size_multiple=4,
            bytes_per_pixel=68 * n, state_bytes_per_pixel=(n + 5 * n * (frames - 1)) / 4, licence="MIT",
            paper='Zhong et al., "Efficient Spatio-Temporal Recurrent Neural Network for Video Deblurring", ECCV 2020',
        )  # fmt: skip

    def published_entries(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Strip the wrapper's prefix."""
        return renamed(state_dict, ((r"^module\.", ""),))

    def forward(self, clip: Tensor) -> Tensor:
        """(N, T, 3, H, W) -> (N, T-P-Q, 3, H, W)."""
        check_clip("ESTRNN", clip)
        if clip.shape[1] < self.traits.min_frames:
            raise ShapeError(
                f"ESTRNN needs {self.traits.min_frames} frames to restore one, not {clip.shape[1]}",
                hint="restore_clip takes clips of any length.",
            )
        return self.run(clip, list(range(clip.shape[1])))

    def restore_clip(self, clip: Tensor) -> Tensor:
        """Every frame of a clip (N, T, 3, H, W) of any length -> (N, T, 3, H, W); mirrored in time at its ends."""
        check_clip("ESTRNN", clip)
        return self.run_mirrored(clip)

    def step(self, frame: Tensor, state: State) -> tuple[Tensor | None, State]:
        """One frame (N, 3, H, W); the state is the cell's, then the features of the last P + Q frames."""
        height, width = frame.shape[2:]
        for axis in (2, 3):
            frame = mirror(frame, axis, -(-frame.shape[axis] // 4) * 4, repeat_edge=False)
        hidden = state[0] if state else frame.new_zeros(frame.shape[0], self.n_features, frame.shape[2] // 4, frame.shape[3] // 4)
        features, hidden = self.cell(channels_last(frame), channels_last(hidden))
        window = (*state[1:], features)
        if len(window) < self.traits.min_frames:
            return None, (hidden, *window)
        neighbours = window[: self.past_frames] + window[self.past_frames + 1 :]
        fused = self.fusion(list(neighbours), window[self.past_frames])
        return self.recons["model"](fused)[..., :height, :width], (hidden, *window[1:])
