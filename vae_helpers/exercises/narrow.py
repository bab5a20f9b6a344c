"""Where no known mistake fits a wrong result: narrow it down, with statements that hold for every case tried.

Each step compares the results with another computation, or with the right one for other arguments, and says what it
finds only if it fits all numbers of all cases. So a statement is true even where the mistake was another one.
"""

import itertools
import time

import numpy as np

from vae_helpers.exercises.guesses import CHANGES, FEATURES, LIKELY, OTHERS, PLAIN_INPUTS, PRODUCTS, REDUCTIONS
from vae_helpers.exercises.results import Results, all_same, apply, attempt, flat, number, plain, put, same

_PATIENCE = 1.0  # seconds of computing for all guesses together


def narrow(report, cases, found, expected, right, mistakes, axes, parts, each):
    """What is wrong with the results `found`, in a few sentences. See Report.compare for the arguments."""
    search = _Search(report, cases, found, expected, right)
    with np.errstate(all="ignore"):
        for text in search.guesses(mistakes, parts, each):
            if text:
                return text
        return search.describe(axes)


class _Search(Results):
    """Guesses at what was done, each compared with all results."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.end = time.thread_time() + _PATIENCE

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
            if self._fits(attempt(lambda function=function: [function(one) for one in base])):
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
        one, other = flat(self.found), flat(base)
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
        one, other = flat(self.found), flat(base)
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
        one, other = flat(self.found), flat(base)
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
            if time.thread_time() > self.end:
                return
            results = attempt(lambda cases=cases: [apply(self.right, case) for case in cases])
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
                       [put(case, place, values[1 - values.index(case[place])]) for case in cases])  # fmt: skip
            if not isinstance(first, np.ndarray):
                changes += [(f"`{name}` = {v!r}, always", lambda _, v=v: v) for v in {case[place] for case in cases}]
            for text, change in changes:
                changed = attempt(lambda change=change, place=place: [put(case, place, change(case[place]))
                                                                   for case in cases])  # fmt: skip
                if changed is not None:
                    yield text, changed
        arrays = [place for place, first in enumerate(cases[0]) if isinstance(first, np.ndarray)]
        for text, change in [] if likely or len(arrays) < 2 else [*LIKELY, *OTHERS]:
            changed = attempt(lambda change=change: [
                [change(one) if place in arrays else one for place, one in enumerate(case)] for case in cases
            ])  # fmt: skip
            if changed is not None:
                yield text.replace("@", "each argument"), changed
        for i, j in itertools.permutations(range(len(self.names)), 2):
            one, other = f"`{self.names[i]}`", f"`{self.names[j]}`"
            if i < j:
                yield f"{one} and {other} swapped", [put(put(c, i, c[j]), j, c[i]) for c in cases]
            yield f"{other} in place of {one}, too", [put(case, i, case[j]) for case in cases]

    def _reduction(self, each):
        """Another way to come from one number for each pixel or latent to the result."""
        tables = [apply(each, case) for case in self.cases]
        for text, function in REDUCTIONS:
            results = attempt(lambda function=function: [
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
        factors = np.linalg.lstsq(np.stack(table, 1), flat(self.found), rcond=None)[0]
        if not same(flat(self.found), factors @ np.stack(table), self.rtol):
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
            results = attempt(lambda mistake=mistake: [apply(mistake, case) for case in self.cases])
            relation = self._relation(results, least=4) if results is not None else ""
            if relation:
                yield f"two things. First, {text}\nThen, compared with that, {relation}"
        if self.distinct < 6 or not self.finite:
            return
        changed = []
        for text, cases in self._changed_inputs(likely=True):
            results = attempt(lambda cases=cases: [apply(self.right, case) for case in cases])
            if results is None or all_same(results, self.expected, self.rtol):
                continue
            changed.append((text, cases))
            relation = self._relation(results, least=4)
            if relation:
                yield f"two things. These are results for {text}.\nThen, compared with that, {relation}"
            if time.thread_time() > self.end:
                return
        for (text, mistake), (other, cases) in itertools.product(mistakes, changed):
            if time.thread_time() > self.end:
                return
            if self._fits(attempt(lambda mistake=mistake, cases=cases: [apply(mistake, case) for case in cases])):
                yield f"two things. First, {text}\nThen, this is so for {other}."

    def _off_by(self):
        """One term too much or too little: a multiple of a sum, a square, an exponential … of the arguments."""
        if not all(one.shape == other.shape for one, other in zip(self.found, self.expected)):
            return ""
        off = flat([one - other for one, other in zip(self.found, self.expected)])
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
                value = attempt(lambda c=case, i=i, j=j, f=function: f(c[i]) if j is None else f(c[i], c[j]))
                if value is not None and value.shape != wanted.shape and value.shape[: wanted.ndim] == wanted.shape:
                    value = value.sum(axis=tuple(range(wanted.ndim, value.ndim)))
                values.append(value)
            if all(v is not None and v.shape == w.shape for v, w in zip(values, self.expected)):
                feature = flat(values)
                if np.isfinite(feature).all():
                    yield text, feature
