"""A decoder of BVC's predicted frames that knows docs/FORMAT.md and nothing of ours: as plain as it is slow."""

from __future__ import annotations

import struct
from typing import Any

Place = tuple[int, int]
Plane = dict[Place, int]
#: Latent, kind, row and class.
Table = tuple[str, str, int, int]


class RangeDecoder:
    """Section 5 of docs/FORMAT.md."""

    def __init__(self, data: bytes) -> None:
        self.words = list(struct.unpack(f"<{len(data) // 4}I", data))
        self.low, self.range = 0, 2**64 - 1
        self.point = self.word() << 32 | self.word()

    def word(self) -> int:
        return self.words.pop(0) if self.words else 0

    def symbol(self, starts: list[int]) -> int:
        """`starts`: where each symbol's share of 2^24 begins, and 2^24 itself."""
        scale = self.range >> 24
        place = (self.point - self.low) % 2**64 // scale
        index = max(i for i, start in enumerate(starts[:-1]) if start <= place)
        self.low = (self.low + scale * starts[index]) % 2**64
        self.range = scale * (starts[index + 1] - starts[index])
        if self.range < 2**32:
            self.low, self.range = (self.low << 32) % 2**64, self.range << 32
            self.point = (self.point << 32) % 2**64 | self.word()
        return index


class BlocksByTheBook:
    """Section 9 of docs/FORMAT.md: the predicted frames of one group, place by place, with the model that `known` holds."""

    def __init__(self, known: Any, adaptive: bool = False, most: int = 1 << 20) -> None:
        self.known, self.adaptive, self.most = known, adaptive, most
        self.before: dict[str, dict[str, Any]] = {}
        #: Symbols of every table so far, and the tables that are no longer the model's.
        self.counts: dict[Table, list[int]] = {}
        self.learned: dict[Table, list[int]] = {}
        #: Tables that decoded something in this frame.
        self.used: set[Table] = set()

    def frame(self, data: bytes) -> list[int]:
        self.coder, integers = RangeDecoder(data), []
        shown: Plane = {}
        for part, shape in zip(("motion", "residual"), self.known["shapes"].tolist(), strict=True):
            self.part = part
            self.said = {key[len(part) + 1 :]: self.known[key].tolist() for key in self.known.files if key.startswith(part)}
            fold, self.leading = self.said["shape"]
            self.size = (fold * shape[1], fold * shape[2])
            ratio = self.size[0] // self.known["shapes"][0][1]
            activity = {(y, x): shown[y // ratio, x // ratio] if shown else 0 for y, x in self.places()}
            self.old = self.before.get(part)
            planes, shown = self.planes(activity)
            order, square = self.said["order"], fold * fold
            by_coefficient = dict(zip(order, planes, strict=True))
            for channel in range(shape[0]):
                i, j = channel % square // fold, channel % fold
                plane = by_coefficient[channel // square]
                integers += [plane[fold * y + i, fold * x + j] for y in range(shape[1]) for x in range(shape[2])]
            self.before[part] = {"planes": planes, "numbers": self.numbers}
        if self.adaptive:
            self.learn()
        return integers

    def learn(self) -> None:
        for part, kind, row, number in self.used:
            counts = self.counts[part, kind, row, number]
            cdf, pace = self.known[f"{part}_{kind}_cdf"][row, number].tolist(), {"value": 240, "last": 50, "coefficient": 50}[kind]
            total = 65536 * (pace + sum(counts))
            weights = [pace * (cdf[s + 1] - cdf[s]) + 65536 * count for s, count in enumerate(counts)]
            frequencies = [1 + (65536 - len(counts)) * weight // total for weight in weights]
            frequencies[frequencies.index(max(frequencies))] += 65536 - sum(frequencies)
            self.learned[part, kind, row, number] = [sum(frequencies[:s]) for s in range(len(counts) + 1)]
            if sum(counts) > self.most:
                counts[:] = [count // 2 for count in counts]
        self.used.clear()

    def planes(self, activity: Plane) -> tuple[list[Plane], Plane]:
        surprise = dict.fromkeys(self.places(), 0)
        leading = [self.value(index, surprise) for index in range(self.leading)]
        activity = {p: min(31, activity[p] + surprise[p]) for p in self.places()}
        self.numbers = self.number(activity)
        others, total = self.others(), len(self.said["scale"]) - 1
        sums = {p: sum(min(31, abs(others[k][p])) for k in range(total)) for p in self.places()}
        return leading + others, {p: min(31, surprise[p] + sums[p]) for p in self.places()}

    def value(self, index: int, surprise: Plane) -> Plane:
        old, values, first = self.plane_before(index), {}, int(self.old is None)
        for turn in range(4):
            features = {}
            for p in self.places(turn):
                near = [values[q] for q in around(p) if q in values]
                cross = [values[q] for q in around(p) if q in values and (q[0] == p[0] or q[1] == p[1])]
                inside = [old[q] for q in around(p) if q in old]
                b, r = 16 * old[p], 16 * (sum(inside) + old[p]) // (1 + len(inside))
                g = 16 * sum(near) // len(near) if near else b
                c = 16 * sum(cross) // len(cross) if cross else g
                s = sum(abs(16 * value - g) for value in near) // max(len(near), 1)
                features[p] = (b, r, c, g, s)
            z, w = self.said["value_spread"][index][turn][first], self.said["value_weights"][index][turn][first]
            measures = {p: z[0] * s + z[1] * abs(b - g) + z[2] * abs(b - r) + z[3] for p, (b, r, _, g, s) in features.items()}
            symbols = self.group(measures, "value", index)
            for p, symbol in symbols.items():
                b, r, c, g, _ = features[p]
                found = symbol - 128 + ((w[0] * b + w[1] * r + w[2] * c + w[3] * g + w[4] + 512) >> 10)
                values[p] = (found + 128) % 256 - 128
                surprise[p] += min(31, abs(16 * values[p] - g) // 16)
        return values

    def number(self, activity: Plane) -> Plane:
        scale, first = self.said["scale"], int(self.old is None)
        then = {p: 0 if self.old is None else scale[self.old["numbers"][p]] for p in self.places()}
        numbers: Plane = {}
        for turn in range(4):
            measures = {}
            for p in self.places(turn):
                near = {q: scale[numbers[q]] for q in around(p) if q in numbers}
                cross = sum(value for q, value in near.items() if q[0] == p[0] or q[1] == p[1])
                parts = (then[p], sum(then.get(q, 0) for q in around(p)), cross, sum(near.values()) - cross, activity[p], 7, 1)
                measures[p] = sum(w * part for w, part in zip(self.said["last_weights"][turn][first], parts, strict=True))
            numbers |= self.group(measures, "last", turn)
        return numbers

    def others(self) -> list[Plane]:
        count, found = len(self.said["scale"]) - 1, []
        so_far = dict.fromkeys(self.places(), 0)
        for k in range(count):
            old = {p: min(31, abs(value)) for p, value in self.plane_before(self.leading + k).items()}
            weights = self.said["coefficient_weights"][k]
            measures: dict[Place, int | None] = {}
            for p in self.places():
                if self.numbers[p] <= k:
                    continue
                total = sum(min(31, abs(self.plane_before(self.leading + n)[p])) for n in range(count))
                parts = (old[p], self.ring(old, p), so_far[p], self.ring(so_far, p), total)
                measure = self.said["numbers"][k][self.numbers[p]] + sum(w * part for w, part in zip(weights, parts, strict=True))
                measures[p] = None if self.numbers[p] == k + 1 else measure
            symbols = self.group(measures, "coefficient", k)
            found.append({p: symbols[p] - 128 if p in symbols else 0 for p in self.places()})
            for p in symbols:
                so_far[p] += min(31, abs(found[-1][p]))
        return found

    def group(self, measures: Any, kind: str, row: int) -> Plane:
        """Class by class; a measure of None has the last one."""
        limits, tables = self.said[f"{kind}_limits"][row], self.said[f"{kind}_cdf"][row]
        classes = {p: len(tables) - 1 if m is None else sum(limit <= m for limit in limits) for p, m in measures.items()}
        found = {}
        for number, own_cdf in enumerate(tables):
            table = (self.part, kind, row, number)
            cdf, length = self.learned.get(table, own_cdf), len(own_cdf) - 1
            starts = [i + (cdf[i] * (2**24 - length) >> 16) for i in range(length)] + [2**24]
            symbols = {p: self.coder.symbol(starts) for p, own in classes.items() if own == number}
            for symbol in symbols.values():
                self.used.add(table)
                self.counts.setdefault(table, [0] * length)[symbol] += 1
            found |= symbols
        return found

    def places(self, turn: int | None = None) -> list[Place]:
        parity = None if turn is None else ((0, 0), (1, 1), (0, 1), (1, 0))[turn]
        every = [(y, x) for y in range(self.size[0]) for x in range(self.size[1])]
        return [p for p in every if parity is None or (p[0] % 2, p[1] % 2) == parity]

    def plane_before(self, index: int) -> Plane:
        return dict.fromkeys(self.places(), 0) if self.old is None else self.old["planes"][index]

    def ring(self, plane: Plane, place: Place) -> int:
        return sum(plane.get(q, 0) for q in around(place))


def around(place: Place) -> list[Place]:
    return [(place[0] + dy, place[1] + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
