"""Devices by name: what is not there is said."""

from __future__ import annotations

import pytest
import torch

from revivid.errors import MissingTool, UsageError
from revivid.restoration.device import find_device


def test_auto_is_a_device_that_works() -> None:
    assert torch.ones(2, device=find_device()).sum() == 2
    assert find_device("cpu") == torch.device("cpu")


def test_devices_that_are_not_there_are_refused() -> None:
    with pytest.raises(MissingTool, match="cuda:99"):
        find_device("cuda:99")
    for name in ("gpu", "meta", "", "xpu"):
        with pytest.raises(UsageError, match="no device"):
            find_device(name)
