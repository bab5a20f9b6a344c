"""The results of a wrong function beside the right ones: where they differ, in which direction, by which argument."""

import itertools

import numpy as np
from keras import ops

from vae_helpers.exercises.guesses import NUMBERS, TESTS

NARROW = 2e-4  # relative difference that counts as none, for results in 32 bits


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
            ends.append(np.sum(apply(function, put(case, place, moved))))
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


def flat(arrays):
    return np.concatenate([one.ravel() for one in arrays])


def attempt(function):
    """The value of function(), or None where a guess cannot be computed."""
    try:
        return function()
    except Exception:
        return None


def put(case, place, value):
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


class Results:
    """The results of one function on all cases, and what they should be."""

    def __init__(self, report, cases, found, expected, right):
        self.report, self.cases, self.found, self.expected, self.right = report, cases, found, expected, right
        self.rtol = report.rtol
        self.names = [report.name_of(place) for place in range(len(cases[0]))]
        values = np.concatenate([one.ravel() for one in found])
        self.finite = bool(values.size) and bool(np.isfinite(values).all())
        self.distinct = len(np.unique(np.round(values, 6)))
        wanted = np.concatenate([one.ravel() for one in expected])
        # shares of small numbers, such as 7/15: two guesses together would fit by chance
        self.coarse = self.distinct < 2 or np.allclose(wanted * 840, np.round(wanted * 840), rtol=0, atol=1e-6)
        # true or false, or a few whole numbers: two guesses together would fit by chance
        self.few = len(np.unique(wanted)) < 4 or (wanted == np.round(wanted)).all()

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
                return f"some values are as they should be; wrong are those at {rows[:8]} of axis 0.{there}"
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
            wanted = attempt(lambda case=case: apply(self.right, case) - self.expected[0])
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
