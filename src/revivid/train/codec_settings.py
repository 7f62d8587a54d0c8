"""How the learned codec is trained (second paper, section 3.4): a section of the recipe, and what counts in which iteration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..errors import UsageError

#: What is trained beside the enhancement: nothing, motion (Eq. 11), compensation (Eq. 12), everything (Eq. 13), and that on whole
#: clips whose references the network itself decoded.
Phase = Literal["enhancement", "motion", "compensation", "residual", "clips"]


@dataclass(frozen=True)
class CodecSettings:
    """`[codec]` of a recipe. Times are fractions of all iterations, so that a schedule scales."""

    #: lambda_d at the lowest and the highest quality; in between it is interpolated exponentially. Equal for a single rate.
    lambda_min: float = 256.0
    lambda_max: float = 2048.0
    #: D of Eq. 13: "mse" or "ms-ssim" (1 - MS-SSIM; patches of 161 pixels or more).
    distortion: str = "mse"
    #: a, b and c of Eq. 14, and where whole clips begin.
    motion_from: float = 0.1
    compensation_from: float = 0.2
    residual_from: float = 0.3
    clips_from: float = 0.9
    #: lambda_e = s lambda_d: s starts at 1, falls by 0.25 after each such part of the training, and not below the floor.
    enhancement_step: float = 0.2
    enhancement_floor: float = 0.25
    #: L_M of Eq. 11: "context" (Eq. 7, k = `region`) or "warp" (Eq. 2 with the refined flow; an ablation).
    motion_loss: str = "context"
    region: int = 8
    #: Whether the enhanced frame is a constant where it is what is to be coded. Without, VENet learns frames that are easy to code.
    stop_gradient: bool = True
    #: What decoded frames are held against: "intermediate", the frames that were coded, or "end", the sharp ones, and nothing in
    #: between is held against anything (section 4.2's joint training; of cascades).
    supervision: str = "intermediate"
    #: Learning rate of densities and gain units over everyone else's.
    density_rate: float = 1.0
    #: Weight of what warping along the initial flow misses (mean absolute error), where the flow network is trained along.
    flow_weight: float = 1.0
    #: Safetensors of SPyNet for the paper's size, such as published ones: kept as they are; none: it is trained along.
    flow_weights: str = ""
    #: Whether the weights get tables that what was decoded before chooses (`contexts`), counted when the training is done.
    contexts: bool = False
    #: How the learning rate falls: "cosine", or "steps" (a tenth from 5/10 and a hundredth from 8/10 on).
    decay: str = "cosine"

    def check(self, where: str) -> None:
        """Raises `UsageError` for words that aren't known and times that aren't in order."""
        words = {
            "distortion": ("mse", "ms-ssim"),
            "motion_loss": ("context", "warp"),
            "supervision": ("intermediate", "end"),
            "decay": ("cosine", "steps"),
        }
        for key, known in words.items():
            if getattr(self, key) not in known:
                raise UsageError(f"{where}: {key} = {getattr(self, key)!r}", hint=f"Known: {', '.join(known)}.")
        times = (0.0, self.motion_from, self.compensation_from, self.residual_from, self.clips_from, 1.0)
        if list(times) != sorted(times) or self.lambda_min > self.lambda_max:
            raise UsageError(
                f"{where}: the phases or lambdas are not in order",
                hint="0 <= motion_from <= compensation_from <= residual_from <= clips_from <= 1; lambda_min <= lambda_max.",
            )

    def phase(self, progress: float) -> Phase:
        """What is trained at `progress` (0 to 1) through the training (Eq. 14)."""
        if progress < self.motion_from:
            return "enhancement"
        if progress < self.compensation_from:
            return "motion"
        if progress < self.residual_from:
            return "compensation"
        return "residual" if progress < self.clips_from else "clips"

    def enhancement_share(self, progress: float) -> float:
        """s of lambda_e = s lambda_d at `progress`."""
        return max(1 - 0.25 * math.floor(progress / self.enhancement_step + 1e-9), self.enhancement_floor)

    def trade_off(self, place: float) -> float:
        """lambda_d at `place`: 0 for the lowest quality, 1 for the highest."""
        return self.lambda_min * (self.lambda_max / self.lambda_min) ** place


def step_decay(progress: float) -> float:
    """The paper's factor on the learning rate: a tenth from half of the training on, a hundredth from eight tenths on."""
    return 1.0 if progress < 0.5 else 0.1 if progress < 0.8 else 0.01
