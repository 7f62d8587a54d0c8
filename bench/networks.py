"""Time, memory, size and bf16 error of every network: python bench/networks.py [CASE ...] --out results/networks.json [--missing]

Each case is a checkpoint of the catalogue (or one of our own networks) with its published hyper-parameters and random weights, on
an input of the stated shape. Where a literal form exists (bench/reference_*.py: the description of the network step by step), both
run in processes of their own, in turns, with the same weights, input and number of threads:

    milliseconds   of one call by the clock, the median over the turns; per new frame, and per megapixel of output
    peak_mb        how far the first call raised the process's resident memory
    speedup        the median over the turns of literal / revivid; memory_ratio is revivid / literal
    difference     between the two outputs, over the literal one's standard deviation: the largest, and the share within 1e-4
    gmacs          multiply-adds of convolutions, matrix products and attention per new frame; bilinear sampling isn't counted
    bf16           autocast against float32 on a small input: largest and mean difference over the standard deviation

Every case is written as soon as it is measured; `--missing` leaves out those that the file has. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from network_cases import CASES
from revivid.evaluation.machine import describe_machine

WORKER = Path(__file__).parent / "network_worker.py"


class Worker:
    """One form of one case, in a process of its own that waits between its calls."""

    def __init__(self, case: str, form: str, threads: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER), case, form, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *words: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{' '.join(map(str, self.process.args))} ended with {self.process.wait()}")  # type: ignore[arg-type]
        return json.loads(answer)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def measure(case: str, threads: int, seconds: float) -> dict[str, Any]:
    """All figures of one case; turns go on for `seconds`, but there are at least two."""
    forms = ["revivid", "literal"] if CASES[case].literal else ["revivid"]
    workers = {form: Worker(case, form, threads) for form in forms}
    facts = workers["revivid"].ask("facts")
    first = {form: worker.ask("run") for form, worker in workers.items()}
    # Where calls take long, the first one counts: what it does once weighs little there.
    long = sum(answer["ms"] for answer in first.values()) > 2000 * seconds
    times: dict[str, list[float]] = {form: [first[form]["ms"]] if long else [] for form in forms}
    end = perf_counter() + seconds
    while len(times["revivid"]) < 2 or perf_counter() < end:
        for form, worker in workers.items():
            times[form].append(worker.ask("run")["ms"])
    result: dict[str, Any] = {
        "network": CASES[case].network, "input": list(CASES[case].shape), "output": first["revivid"]["output"],
        "parameters": facts["parameters"], "gmacs_per_frame": facts["gmacs_per_frame"], "turns": len(times["revivid"]),
    }  # fmt: skip
    for form in forms:
        milliseconds = median(times[form])
        result[form] = {
            "ms_per_frame": round(milliseconds / facts["frames"], 1),
            "ms_per_megapixel": round(milliseconds / facts["megapixels"], 1),
            "peak_mb": first[form]["peak_mb"],
        }
    if CASES[case].literal:
        result |= compare(workers, first, times)
    result["bf16"] = workers["revivid"].ask("bf16")
    for worker in workers.values():
        worker.close()
    return result


def compare(workers: dict[str, Worker], first: dict[str, Any], times: dict[str, list[float]]) -> dict[str, Any]:
    """Both forms against each other."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {form: str(Path(folder) / f"{form}.npy") for form in workers}
        for form, worker in workers.items():
            worker.ask("save", paths[form])
        ours, literal = (np.load(paths[form]) for form in ("revivid", "literal"))
    difference = np.abs(ours - literal) / literal.std()
    ratios = [b / a for a, b in zip(times["revivid"], times["literal"], strict=True)]
    return {
        "speedup": round(median(ratios), 2),
        "speedup_range": [round(min(ratios), 2), round(max(ratios), 2)],
        "memory_ratio": round(first["revivid"]["peak_mb"] / first["literal"]["peak_mb"], 2),
        "difference": {"largest": float(f"{difference.max():.1e}"), "within_1e-4": round(float((difference < 1e-4).mean()), 6)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6.0, help="how long to take turns over one case")
    parser.add_argument("--missing", action="store_true", help="only cases that the file has no result of")
    options = parser.parse_args()
    unknown = set(options.cases) - set(CASES)
    if unknown:
        parser.error(f"no case {', '.join(sorted(unknown))}; known: {', '.join(CASES)}")
    results: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
    results["command"] = "python bench/networks.py --out results/networks.json"
    results["machine"] = {**describe_machine(), "threads": options.threads}
    cases = results.setdefault("cases", {})
    for case in options.cases or CASES:
        if options.missing and case in cases:
            continue
        load = round(os.getloadavg()[0], 1)
        cases[case] = measure(case, options.threads, options.seconds)
        cases[case] |= {"threads": options.threads, "load_before": load, "date": datetime.now(timezone.utc).date().isoformat()}
        results["cases"] = {name: cases[name] for name in CASES if name in cases}
        options.out.write_text(json.dumps(results, indent=1) + "\n")
        print(case, json.dumps(cases[case]), file=sys.stderr)


if __name__ == "__main__":
    main()
