"""Where no known mistake fits a wrong result: narrow it down, with statements that hold for every case tried.

Each step compares the results with another computation, or with the right one for other arguments, and says what it
finds only if it fits all numbers of all cases. So a statement is true even where the mistake was another one.
"""

import itertools
import time

import numpy as np
from keras import ops

from vae_helpers.exercises.guesses import (
    CHANGES,
    FEATURES,
    LIKELY,
    NUMBERS,
    OTHERS,
    PLAIN_INPUTS,
    PRODUCTS,
    REDUCTIONS,
    TESTS,
)

NARROW = 2e-4  # relative difference that counts as none, for results in 32 bits
_PATIENCE = 0.6  # seconds for all guesses together


def apply(function, case):
    """A computation in numpy on the arguments of a case; tensors become float64 arrays."""
    with np.errstate(all="ignore"):
        return np.asarray(function(*plain(case)), dtype="float64")


def plain(case):
    """The arguments of a case, arrays and tensors as float64 arrays."""
    return [np.asarray(a, dtype="float64") if hasattr(a, "dtype") else a for a in case]


def slope(function, case, place):
    """The derivative of the sum of function(*case) to each number of one argument, by differences, in float64."""
    case = plain(case)
    result = np.zeros(case[place].shape)
    for index in np.ndindex(result.shape):
        ends = []
        for step in (1e-5, -1e-5):
            moved = case[place].copy()
            moved[index] += step
            ends.append(np.sum(apply(function, _put(case, place, moved))))
        result[index] = (ends[0] - ends[1]) / 2e-5
    return result


def same(one, other, rtol=NARROW):
    """Whether two arrays have one shape and, up to rounding, the same values."""
    if one.shape != other.shape:
        return False
    if one.size:  # most guesses are wrong in the first number already
        first, second = one.flat[0], other.flat[0]
        if abs(first - second) > rtol / 10 + rtol * abs(second):
            return False
    return np.allclose(one, other, rtol=rtol, atol=rtol / 10, equal_nan=True)


def all_same(some, others, rtol=NARROW):
    """The same for lists of arrays."""
    return all(same(one, other, rtol) for one, other in zip(some, others))


def show(case, names=()):
    """The arguments of a case in one or a few lines, long arrays by their shape."""
    parts = []
    for place, argument in enumerate(case):
        if hasattr(argument, "shape") and np.size(argument) > 8:
            text = f"an array {tuple(argument.shape)}"
        elif hasattr(argument, "shape"):
            text = np.array2string(np.asarray(argument), precision=3, separator=", ").replace("\n", "")
        else:
            text = repr(argument) if isinstance(argument, (int, float, str, tuple)) else f"a {type(argument).__name__}"
        parts.append(f"{names[place]} = {text}" if place < len(names) else text)
    return ("" if names else "the arguments ") + ", ".join(parts)


def number(value):
    """Four digits, and a name for well-known numbers."""
    return next((text for known, text in NUMBERS if np.isclose(value, known, rtol=5e-4)), f"{value:.4g}")


def narrow(report, cases, found, expected, right, mistakes, axes, parts, each):
    """What is wrong with the results `found`, in a few sentences. See Report.compare for the arguments."""
    search = _Search(report, cases, found, expected, right)
    with np.errstate(all="ignore"):
        for text in search.guesses(mistakes, parts, each):
            if text:
                return text
        return search.describe(axes)


class _Search:
    """The results of one function on all cases, and what they should be."""

    def __init__(self, report, cases, found, expected, right):
        self.report, self.cases, self.found, self.expected, self.right = report, cases, found, expected, right
        self.rtol = report.rtol
        self.end = time.perf_counter() + _PATIENCE
        self.names = [report._name(place) for place in range(len(cases[0]))]
        values = np.concatenate([one.ravel() for one in found])
        self.finite = bool(values.size) and bool(np.isfinite(values).all())
        self.distinct = len(np.unique(np.round(values, 6)))
        wanted = np.concatenate([one.ravel() for one in expected])
        # shares of small numbers, such as 7/15: two guesses together would fit by chance
        self.coarse = self.distinct < 2 or np.allclose(wanted * 840, np.round(wanted * 840), rtol=0, atol=1e-6)
        # true or false, or a few whole numbers: two guesses together would fit by chance
        self.few = len(np.unique(wanted)) < 4 or (wanted == np.round(wanted)).all()

    # What fits every number of every case

    def guesses(self, mistakes, parts, each):
        """Texts, the likeliest first; an empty one where a guess does not fit."""
        yield self._nothing()
        if self._moody():
            yield "two calls with the same arguments give different results; nothing random is asked for here."
        yield self._relation(self.expected)
        yield from (text for text, _ in self._of_inputs() if text)
        if each is not None:
            yield self._reduction(each)
        if self.finite:
            yield self._terms(parts)
            yield self._looser_relation(self.expected)
        if not self.few:
            yield from self._pairs(mistakes)
            if self.finite:
                yield self._off_by()

    def _nothing(self):
        shapes = [one.shape == other.shape for one, other in zip(self.found, self.expected)]
        if self.finite and self.distinct == 1 and all(shapes) and len(self._wanted()) > 1:
            return f"every value is {self.found[0].flat[0]:.4g}, whatever the arguments are."
        return ""

    def _wanted(self):
        return np.unique(np.round(np.concatenate([one.ravel() for one in self.expected]), 6))

    def _moody(self):
        again = self.report.trial(*self.cases[0])
        return again is not None and not same(again, self.found[0], self.rtol)

    def _fits(self, others):
        return others is not None and all_same(self.found, others, self.rtol)

    def _relation(self, base, least=3):
        """How all results follow from `base`: by a factor, a number added, another function, another order."""
        shapes = all(one.shape == other.shape for one, other in zip(self.found, base))
        if shapes and self.finite and self.distinct >= least:
            for text in (self._factor(base), self._offset(base), self._factor_of_size(base)):
                if text:
                    return text
        for text, function in CHANGES:
            if self._fits(_try(lambda function=function: [function(one) for one in base])):
                return text
        return self._looser_relation(base) if shapes and least > 3 else ""

    def _looser_relation(self, base):
        """Two numbers for all values, or one for each row or case; base: arrays of the shapes of the results."""
        if not self.finite or self.distinct < 5 or any(f.shape != b.shape for f, b in zip(self.found, base)):
            return ""
        return self._line(base) or self._scaled_rows(base) or self._offset_of_case(base) or self._order(base)

    def _order(self, base):
        ordered = [[np.sort(one.ravel()) for one in arrays] for arrays in (self.found, base)]
        return "the values are right, but in another order." if all_same(*ordered, self.rtol) else ""

    def _offset_of_case(self, base):
        offsets = [np.mean(one - other) for one, other in zip(self.found, base)]
        if len(offsets) < 2 or min(one.size for one in base) < 2 or np.abs(offsets).max() < 1e-3:
            return ""
        if not all(same(one, other + offset, self.rtol) for one, other, offset in zip(self.found, base, offsets)):
            return ""
        return (f"in each case all values are off by one number ({', '.join(f'{one:.4g}' for one in offsets)}): "
                "something that is the same for all of them is missing, or too much.")  # fmt: skip

    def _scaled_rows(self, base):
        for axis, name in ((-1, "row"), (0, "column")):
            factors = []
            for one, other in zip(self.found, base):
                if one.ndim != 2 or min(one.shape) < 2 or not np.isfinite(other).all():
                    return ""
                factor = (one * other).sum(axis, keepdims=True) / (other * other).sum(axis, keepdims=True)
                if not same(one, np.where(np.isfinite(factor), factor, 0) * other, self.rtol):
                    break
                factors += factor[np.isfinite(factor)].tolist()
            else:
                return (f"each {name} is the right one times a number of its own, from {min(factors):.3g} to "
                        f"{max(factors):.3g}: what is it multiplied with, or divided by?")  # fmt: skip
        return ""

    def _factor(self, base):
        one, other = _flat(self.found), _flat(base)
        factor = (one @ other) / (other @ other) if other.any() else 0.0
        if abs(factor) > 1e-9 and abs(factor - 1) > 1e-3 and same(one, factor * other, self.rtol):
            if abs(factor + 1) < 1e-3:
                return "the sign is wrong: every value is minus what it should be."
            return f"every value is {number(factor)} times what it should be."
        if 1e-4 < abs(factor - 1) <= 1e-3 and np.allclose(one, factor * other, rtol=1e-5, atol=1e-6):
            return (f"every value is off by one part in {1 / abs(factor - 1):,.0f}: a constant is rounded. Compute it, "
                    "for example a logarithm, in place of writing its digits.")  # fmt: skip
        return ""

    def _offset(self, base):
        one, other = _flat(self.found), _flat(base)
        offset = np.mean(one - other)
        if abs(offset) > 1e-3 and same(one, other + offset, self.rtol):
            return f"every value is {number(abs(offset))} too {'large' if offset > 0 else 'small'}."
        return ""

    def _factor_of_size(self, base):
        """A factor that is another one in each case: the number of rows, a plain argument …"""
        factors = []
        for one, other in zip(self.found, base):
            factor = np.sum(one * other) / np.sum(other * other)
            if not np.isfinite(factor) or not same(one, factor * other, self.rtol):
                return ""
            factors.append(factor)
        if len(factors) < 2 or np.ptp(factors) < 1e-3 * np.abs(factors).max():
            return ""
        for name, sizes in self._sizes().items():
            for power, text in ((1, "multiplied"), (-1, "divided"), (0.5, "multiplied by the root, not just"),
                                (-0.5, "divided by the root, not just")):  # fmt: skip
                wanted = np.asarray(sizes, dtype="float64") ** power
                if np.allclose(factors, wanted, rtol=1e-3):
                    return f"every value is {text.split(' by')[0]} by {'the root of ' if 'root' in text else ''}{name}."
        return ""

    def _sizes(self):
        sizes = {}
        for place, name in enumerate(self.names):
            given = [case[place] for case in self.cases]
            if all(hasattr(one, "shape") for one in given):
                axes = min(len(one.shape) for one in given)
                for axis in range(axes):
                    sizes[f"the length of axis {axis} of `{name}`"] = [one.shape[axis] for one in given]
                sizes[f"how many numbers `{name}` has"] = [np.size(one) for one in given]
                if axes > 1:
                    sizes[f"how many numbers a row of `{name}` has"] = [np.size(one) / one.shape[0] for one in given]
            elif all(isinstance(one, (int, float)) and one > 0 for one in given):
                sizes[f"`{name}`"] = given
            elif all(isinstance(one, tuple) for one in given):
                sizes[f"the product of `{name}`"] = [np.prod(one) for one in given]
        return sizes

    def _line(self, base):
        one, other = _flat(self.found), _flat(base)
        if not np.isfinite(other).all() or np.ptp(other) < 1e-6:
            return ""
        away = other - other.mean()
        slope = away @ (one - one.mean()) / (away @ away)
        offset = one.mean() - slope * other.mean()
        if abs(slope - 1) < 2e-3 and same(one, slope * other + offset, self.rtol):
            return "every value is nearly right: a constant is rounded. Compute it, in place of writing its digits."
        if abs(slope) > 1e-3 and same(one, slope * other + offset, self.rtol):
            return (f"every value is {number(slope)} times what it should be, and then {number(abs(offset))} too "
                    f"{'large' if offset > 0 else 'small'}.")  # fmt: skip
        return ""

    def _of_inputs(self):
        """(text, results) for each change of one argument; the text is empty where the results are others."""
        for text, cases in self._changed_inputs():
            if time.perf_counter() > self.end:
                return
            results = _try(lambda cases=cases: [apply(self.right, case) for case in cases])
            if results is not None:
                end = "" if text.endswith("?") else "."
                yield (f"these are the right results for {text}{end}" if self._fits(results) else ""), results

    def _changed_inputs(self, likely=False):
        cases = [plain(case) for case in self.cases]
        for place, name in enumerate(self.names):
            first = cases[0][place]
            changes = ([*LIKELY, *([] if likely else OTHERS)]) if isinstance(first, np.ndarray) else []
            if isinstance(first, (int, float)) and not isinstance(first, bool):
                changes = PLAIN_INPUTS
            changes = [(text.replace("@", f"`{name}`"), change) for text, change in changes]
            values = sorted({case[place] for case in cases}) if isinstance(first, str) else []
            if len(values) == 2:
                yield (f"{values[0]!r} and {values[1]!r} swapped in `{name}`",
                       [_put(case, place, values[1 - values.index(case[place])]) for case in cases])  # fmt: skip
            if not isinstance(first, np.ndarray):
                changes += [(f"`{name}` = {v!r}, always", lambda _, v=v: v) for v in {case[place] for case in cases}]
            for text, change in changes:
                changed = _try(lambda change=change, place=place: [_put(case, place, change(case[place]))
                                                                   for case in cases])  # fmt: skip
                if changed is not None:
                    yield text, changed
        arrays = [place for place, first in enumerate(cases[0]) if isinstance(first, np.ndarray)]
        for text, change in [] if likely or len(arrays) < 2 else [*LIKELY, *OTHERS]:
            changed = _try(lambda change=change: [
                [change(one) if place in arrays else one for place, one in enumerate(case)] for case in cases
            ])  # fmt: skip
            if changed is not None:
                yield text.replace("@", "each argument"), changed
        for i, j in itertools.permutations(range(len(self.names)), 2):
            one, other = f"`{self.names[i]}`", f"`{self.names[j]}`"
            if i < j:
                yield f"{one} and {other} swapped", [_put(_put(c, i, c[j]), j, c[i]) for c in cases]
            yield f"{other} in place of {one}, too", [_put(case, i, case[j]) for case in cases]

    def _reduction(self, each):
        """Another way to come from one number for each pixel or latent to the result."""
        tables = [apply(each, case) for case in self.cases]
        for text, function in REDUCTIONS:
            results = _try(lambda function=function: [
                function(one, tuple(range(wanted.ndim, one.ndim))) for one, wanted in zip(tables, self.expected)
            ])  # fmt: skip
            if self._fits(results):
                return text
        return ""

    def _terms(self, parts):
        """Factors of the terms of a sum, by least squares over all numbers of all cases."""
        if not parts or not all(one.shape == other.shape for one, other in zip(self.found, self.expected)):
            return ""
        table = [np.concatenate([apply(part, case).ravel() for case in self.cases]) for _, part in parts]
        if len(table[0]) < len(table) + 2 or np.linalg.matrix_rank(table) < len(table):
            return ""
        factors = np.linalg.lstsq(np.stack(table, 1), _flat(self.found), rcond=None)[0]
        if not same(_flat(self.found), factors @ np.stack(table), self.rtol):
            return ""
        told = []
        for (name, _), factor in zip(parts, factors):
            if abs(factor) < 1e-3:
                told.append(f"the term {name} is missing.")
            elif abs(factor + 1) < 1e-3:
                told.append(f"the term {name} has the wrong sign.")
            elif abs(factor - 1) > 1e-3:
                told.append(f"the term {name} has the factor {number(factor)}; it should be 1.")
        return "\n".join(told) if 0 < len(told) <= 2 else ""

    def _pairs(self, mistakes):
        """Two mistakes together: a known one or a changed argument, and then a change of the result."""
        if not self.finite or self.coarse:
            return
        for text, mistake in mistakes:
            results = _try(lambda mistake=mistake: [apply(mistake, case) for case in self.cases])
            relation = self._relation(results, least=4) if results is not None else ""
            if relation:
                yield f"two things. First, {text}\nThen, compared with that, {relation}"
        if self.distinct < 6 or not self.finite:
            return
        changed = []
        for text, cases in self._changed_inputs(likely=True):
            results = _try(lambda cases=cases: [apply(self.right, case) for case in cases])
            if results is None or all_same(results, self.expected, self.rtol):
                continue
            changed.append((text, cases))
            relation = self._relation(results, least=4)
            if relation:
                yield f"two things. These are results for {text}.\nThen, compared with that, {relation}"
            if time.perf_counter() > self.end:
                return
        for (text, mistake), (other, cases) in itertools.product(mistakes, changed):
            if time.perf_counter() > self.end:
                return
            if self._fits(_try(lambda mistake=mistake, cases=cases: [apply(mistake, case) for case in cases])):
                yield f"two things. First, {text}\nThen, this is so for {other}."

    def _off_by(self):
        """One term too much or too little: a multiple of a sum, a square, an exponential … of the arguments."""
        if not all(one.shape == other.shape for one, other in zip(self.found, self.expected)):
            return ""
        off = _flat([one - other for one, other in zip(self.found, self.expected)])
        if off.size < 5:
            return ""
        for name, feature in self._features():
            if np.ptp(feature) < 1e-6:
                continue
            factor = (off @ feature) / (feature @ feature)
            if abs(factor) > 1e-3 and np.allclose(off, factor * feature, rtol=2e-3, atol=1e-4 * np.abs(off).max()):
                return f"every value is off by {number(factor)} times {name}: a term is missing, or there too often."
        return self._off_by_two(off) if off.size >= 7 else ""

    def _off_by_two(self, off):
        features = [(name, feature) for name, feature in self._features() if np.ptp(feature) > 1e-6]
        nice = (0.25, 0.5, 1, 2)
        for (name, one), (other_name, other) in itertools.combinations(features, 2):
            table = np.stack([one, other], axis=1)
            factors = np.linalg.lstsq(table, off, rcond=None)[0]
            if not all(np.isclose(np.abs(factor), nice, rtol=1e-3).any() for factor in factors):
                continue
            if np.allclose(off, table @ factors, rtol=2e-3, atol=1e-4 * np.abs(off).max()):
                return (f"every value is off by {number(factors[0])} times {name} and by {number(factors[1])} times "
                        f"{other_name}: terms are missing, or there too often.")  # fmt: skip
        return ""

    def _features(self):
        """(name, its values for every number of every case)."""
        cases = [plain(case) for case in self.cases]
        arrays = [i for i in range(len(self.names)) if all(isinstance(case[i], np.ndarray) for case in cases)]
        singles = [(f"{text.replace('@', f'`{self.names[i]}`')}", i, None, f) for i in arrays for text, f in FEATURES]
        doubles = [(f"{text.replace('@', f'`{self.names[i]}`').replace('#', f'`{self.names[j]}`')}", i, j, f)
                   for i, j in itertools.combinations(arrays, 2) for text, f in PRODUCTS]  # fmt: skip
        for text, i, j, function in [*singles, *doubles]:
            values = []
            for case, wanted in zip(cases, self.expected):
                value = _try(lambda c=case, i=i, j=j, f=function: f(c[i]) if j is None else f(c[i], c[j]))
                if value is not None and value.shape != wanted.shape and value.shape[: wanted.ndim] == wanted.shape:
                    value = value.sum(axis=tuple(range(wanted.ndim, value.ndim)))
                values.append(value)
            if all(v is not None and v.shape == w.shape for v, w in zip(values, self.expected)):
                flat = _flat(values)
                if np.isfinite(flat).all():
                    yield text, flat

    # What holds for some of the numbers, or of the arguments

    def describe(self, axes):
        """Where the result is wrong, and in which direction."""
        for case, one, other in zip(self.cases, self.found, self.expected):
            if one.shape != other.shape:
                return self._shape(case, one, other, axes)
        if not self.finite:
            return self._not_finite()
        told = [self._where(), self._arguments(), self._direction(), self._example()]
        return "\n".join(line for line in told if line)

    def _shape(self, case, one, other, axes):
        text = f"the result has shape {one.shape}; it should be {other.shape}: {axes}"
        if same(one.squeeze(), other.squeeze(), self.rtol):
            return text + "\nThe values are right: only an axis of length 1 is too many, or missing."
        if one.ndim == 2 and same(one.T, other, self.rtol):
            return text + "\nThe values are right, but rows and columns are swapped."
        if one.size == other.size and same(np.sort(one.ravel()), np.sort(other.ravel()), self.rtol):
            return text + "\nThe values are right, in another shape."
        for k in range(min(one.ndim, other.ndim)):
            if one.shape[:k] == other.shape[:k] and one.shape[k + 1 :] == other.shape[k + 1 :]:
                less, more = sorted((one.shape[k], other.shape[k]))
                if more - less == 1:
                    return text + f"\nAlong axis {k} there is one {'too few' if one.shape[k] == less else 'too many'}."
        return text + f"\nThis is so for {show(case, self.report.names)}."

    def _not_finite(self):
        text = "the result has values that are not finite (NaN or infinity)"
        bad = [~np.isfinite(one) for one in self.found]
        where = self._predicate(bad)
        good = all(same(one[~mask], other[~mask], self.rtol) for one, other, mask in zip(self.found, self.expected, bad)
                   )  # fmt: skip
        if where and good:
            return text + f" {where}; the others are right."
        case = next(case for case, mask in zip(self.cases, bad) if mask.any())
        also = f" {where}" if where else ""
        return text + f"{also}, for\n{show(case, self.report.names)}"

    def _masks(self):
        return [~np.isclose(one, other, rtol=self.rtol, atol=self.rtol / 10)
                for one, other in zip(self.found, self.expected)]  # fmt: skip

    def _where(self):
        masks = self._masks()
        wrong = sum(int(mask.sum()) for mask in masks)
        if wrong == sum(mask.size for mask in masks):
            return ""
        there = self._there(masks)
        where = self._predicate(masks)
        if where:
            return f"the result is wrong only {where}.{there}"
        whole = [mask.all() for mask in masks]
        if any(whole) and all(mask.all() or not mask.any() for mask in masks):
            good = self.cases[whole.index(False)]
            return f"the result is right for {show(good, self.report.names)}, but not in all cases.{there}"
        mask = next(mask for mask in masks if mask.any())
        if mask.ndim:
            rows = [int(i) for i in np.flatnonzero(mask.reshape(len(mask), -1).any(axis=1))]
            if len(rows) < len(mask):
                return f"some values are right: wrong are those at {rows[:8]} of axis 0.{there}"
        return f"{wrong} of {sum(mask.size for mask in masks)} values are wrong.{there}"

    def _there(self, masks):
        one = np.concatenate([f[m] for f, m in zip(self.found, masks)])
        other = np.concatenate([e[m] for e, m in zip(self.expected, masks)])
        if len(one) < 2:
            return ""
        if np.ptp(one) < 1e-6 and np.ptp(other) > 1e-6:
            return f" There every value is {one[0]:.4g}."
        if same(one, -other, self.rtol):
            return " There the sign is wrong."
        factor = (one @ other) / (other @ other) if other.any() else 0.0
        if factor and np.ptp(other) > 1e-6 and same(one, factor * other, self.rtol):
            return f" There every value is {number(factor)} times what it should be."
        if np.ptp(other) > 1e-6 and np.ptp(one - other) < 1e-3 * np.abs(one - other).max():
            off = (one - other)[0]
            return f" There every value is {number(abs(off))} too {'large' if off > 0 else 'small'}."
        return ""

    def _predicate(self, masks):
        """In words, what is special about just the places in `masks`; empty if nothing simple is."""
        if all(mask.all() for mask in masks) or not any(mask.any() for mask in masks):
            return ""
        right = sum(int((~mask).sum()) for mask in masks)
        # with one number on one side much would fit by chance; only the words of an argument say enough
        enough = min(right, sum(int(mask.sum()) for mask in masks)) > 1 or len(masks) == 1
        for text, values in self._properties():
            if (enough or "' and `" in text or text.endswith("'")) and all(
                v.shape == m.shape and (v == m).all() for v, m in zip(values, masks)
            ):
                return text
        return ""

    def _properties(self):
        """(text, a mask for each case)."""
        cases, wanted = [plain(case) for case in self.cases], self.expected
        for text, test in TESTS:
            if text != "not 0":
                yield f"where the right value is {text}", [test(one) for one in wanted]
        for place, name in enumerate(self.names):
            given = [case[place] for case in cases]
            if all(isinstance(one, np.ndarray) for one in given):
                yield from self._properties_of_array(name, given)
            elif all(isinstance(one, str) for one in given):
                for value in dict.fromkeys(given):
                    yield f"where `{name}` is {value!r}", [np.full(w.shape, g == value) for g, w in zip(given, wanted)]
                    yield (f"where `{name}` is not {value!r}",
                           [np.full(w.shape, g != value) for g, w in zip(given, wanted)])  # fmt: skip
        words = [i for i, one in enumerate(cases[0]) if isinstance(one, str)]
        for i, j in itertools.combinations(words, 2):
            for one, other in dict.fromkeys((case[i], case[j]) for case in cases):
                yield (f"where `{self.names[i]}` is {one!r} and `{self.names[j]}` is {other!r}",
                       [np.full(w.shape, (c[i], c[j]) == (one, other)) for c, w in zip(cases, wanted)])  # fmt: skip
        plains = [i for i, one in enumerate(cases[0]) if isinstance(one, (int, float))]
        for i, j in itertools.permutations(plains, 2):
            for text, test in (("larger than", np.greater), ("at least", np.greater_equal), ("equal to", np.equal)):
                yield (f"where `{self.names[i]}` is {text} `{self.names[j]}`",
                       [np.full(w.shape, test(c[i], c[j])) for c, w in zip(cases, wanted)])  # fmt: skip
        for axis in range(min(one.ndim for one in wanted)):
            for text, at in (("first", 0), ("last", -1)):
                masks = []
                for one in wanted:
                    mask = np.zeros(one.shape, bool)
                    np.moveaxis(mask, axis, 0)[at if one.shape[axis] else slice(0)] = True
                    masks.append(mask)
                yield f"at the {text} place of axis {axis}", masks
                yield f"at all places of axis {axis} but the {text}", [~mask for mask in masks]

    def _properties_of_array(self, name, given):
        for text, test in TESTS:
            masks = [test(one) for one in given]
            yield f"where `{name}` is {text}", masks
            if all(m.ndim > w.ndim and m.shape[: w.ndim] == w.shape for m, w in zip(masks, self.expected)):
                axes = [tuple(range(w.ndim, m.ndim)) for m, w in zip(masks, self.expected)]
                yield f"where a value of `{name}` is {text}", [m.any(axis=a) for m, a in zip(masks, axes)]
                yield f"where all values of `{name}` are {text}", [m.all(axis=a) for m, a in zip(masks, axes)]

    def _arguments(self):
        """Change one argument at a time: which changes does the function follow as it should?"""
        good, bad, unused = [], [], []
        for place, name in enumerate(self.names):
            case = list(self.cases[0])
            other = _another(case[place])
            if other is None:
                continue
            case[place] = other
            before, after = self.report.trial(*self.cases[0]), self.report.trial(*case)
            wanted = _try(lambda case=case: apply(self.right, case) - self.expected[0])
            if before is None or after is None or wanted is None or before.shape != after.shape != ():
                continue
            if before.shape != after.shape or wanted.shape != after.shape or np.abs(wanted).max(initial=0) < 1e-4:
                continue
            if not np.isfinite(after).all() or self.few:
                continue
            if np.abs(after - before).max() < 1e-7:
                unused += [f"`{name}`"] if self._ignores(place) else []
            else:
                (good if np.allclose(after - before, wanted, rtol=5e-3, atol=1e-4) else bad).append(f"`{name}`")
        if unused:
            return f"the result does not change when {' or '.join(unused)} changes: is it used, or cut off?"
        if good and bad:
            return (f"when only {' or '.join(good)} changes, the result changes as it should; when "
                    f"{' or '.join(bad)} changes, it does not: look at the terms with it.")  # fmt: skip
        return ""

    def _ignores(self, place):
        """Whether the result stays the same for quite another value of one argument, in several cases."""
        for case, found in list(zip(self.cases, self.found))[:5]:
            case, value = list(case), case[place]
            if hasattr(value, "shape"):
                array = np.asarray(value)
                other = (0.7 - 2 * array[::-1]).astype(array.dtype)
                case[place] = other if isinstance(value, np.ndarray) else _type_like(value, other)
            else:
                case[place] = 3 * value + 1
            after = self.report.trial(*case)
            if after is None or not same(after, found):
                return False
        return True

    def _direction(self):
        masks = self._masks()
        off = np.concatenate([(f - e)[m] for f, e, m in zip(self.found, self.expected, masks)])
        if len(off) > 2 and ((off > 0).all() or (off < 0).all()):
            return f"the wrong values are all too {'large' if off[0] > 0 else 'small'}."
        return ""

    def _example(self):
        triples = zip(self.cases, self.found, self.expected)
        case, one, other = next(triple for triple in triples if not same(triple[1], triple[2], self.rtol))
        place = np.unravel_index(np.argmax(np.abs(one - other)), one.shape)
        where = f" at {[int(i) for i in place]}" if place else ""
        digits = 4 if f"{one[place]:.4g}" != f"{other[place]:.4g}" else 8
        return (f"the value{where} is {one[place]:.{digits}g}; it should be {other[place]:.{digits}g}, for\n"
                f"{show(case, self.report.names)}")  # fmt: skip


def _flat(arrays):
    return np.concatenate([one.ravel() for one in arrays])


def _try(function):
    """Its value, or None where a guess cannot be computed."""
    try:
        return function()
    except Exception:
        return None


def _put(case, place, value):
    case = list(case)
    case[place] = value
    return case


def _another(value):
    """Another value for an argument, of the same shape and kind; None where none is known."""
    if isinstance(value, (bool, str, tuple)):
        return None
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return 1.25 * value
    if not hasattr(value, "shape"):
        return None
    array = np.asarray(value)
    if np.isin(array, (0, 1)).all():
        other = 1 - array
    else:
        other = array * np.linspace(0.8, 1.1, array.size).reshape(array.shape)
    return other.astype(array.dtype) if isinstance(value, np.ndarray) else _type_like(value, other)


def _type_like(tensor, array):
    """An array as a tensor of the kind and precision of another one."""
    return ops.convert_to_tensor(array, dtype=str(np.asarray(tensor).dtype))
