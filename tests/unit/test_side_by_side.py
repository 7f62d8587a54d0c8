"""Parts of a network's work side by side: in order, in the caller's modes, with the threads shared out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest
import torch

from revivid.layers.side_by_side import side_by_side

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order_and_parts_really_meet() -> None:
    meeting = threading.Barrier(2, timeout=30)

    def part(value: int) -> int:
        meeting.wait()
        return value

    with torch.no_grad():
        assert side_by_side([partial(part, 1), partial(part, 2)], CPU) == [1, 2]


@pytest.mark.parametrize(("tasks", "each"), [(2, 2), (3, 1), (9, 1)])
def test_threads_are_shared_out_and_given_back(tasks: int, each: int) -> None:
    with torch.no_grad():
        assert side_by_side([torch.get_num_threads] * tasks, CPU) == [each] * tasks
    assert torch.get_num_threads() == 4
    seen: list[int] = []
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert seen == [4], "threads that start afterwards have all of them too"


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("autocast", [False, True])
def test_parts_run_in_the_callers_modes(inference: bool, autocast: bool) -> None:
    def modes() -> tuple[bool, bool, bool, torch.dtype]:
        product = torch.ones(2, 2) @ torch.ones(2, 2)
        return torch.is_inference_mode_enabled(), torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), product.dtype

    with torch.inference_mode(inference), torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        here = modes()
        assert side_by_side([modes, modes], CPU) == [here, here]


@pytest.mark.parametrize("grad", [False, True])
def test_callers_thread_does_it_where_nothing_is_gained(grad: bool) -> None:
    with torch.set_grad_enabled(grad):
        tasks = [threading.get_ident] * (2 if grad else 1)
        assert set(side_by_side(tasks, CPU)) == {threading.get_ident()}
        assert set(side_by_side([threading.get_ident] * 2, torch.device("meta"))) == {threading.get_ident()}


def test_failure_is_raised_and_the_next_call_works() -> None:
    def fail() -> int:
        raise ValueError("this part")

    with torch.no_grad():
        with pytest.raises(ValueError, match="this part"):
            side_by_side([fail, lambda: 1], CPU)
        assert side_by_side([lambda: 2, lambda: 3], CPU) == [2, 3]
    assert torch.get_num_threads() == 4
