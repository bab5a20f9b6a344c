"""What a wrong result is compared with where no known mistake fits: changes of the result and of the arguments."""

import numpy as np

# Factors and offsets with a name.
NUMBERS = [
    (2, "2"), (0.5, "½"), (4, "4"), (0.25, "¼"), (-2, "−2"), (-0.5, "−½"), (1 / np.log(2), "1/log 2 (bits in a nat)"),
    (np.log(2), "log 2 (nats in a bit)"), (1 / np.log(10), "1/log 10 (powers of ten in a nat)"), (np.pi, "π"),
    (180 / np.pi, "180/π (degrees in a radian)"), (np.pi / 180, "π/180"), (100, "100 (percent)"), (255, "255"),
    (1 / 255, "1/255"), (np.log(2 * np.pi), "log 2π"), (0.5 * np.log(2 * np.pi), "½ log 2π"),
    (-np.log(2 * np.pi), "−log 2π"), (-0.5 * np.log(2 * np.pi), "−½ log 2π"),
]  # fmt: skip

# Changes of the right result: what was done to it.
CHANGES = [
    ("every value comes out without its sign: no absolute value is asked for.", np.abs),
    ("every value is 1 divided by what it should be.", lambda e: 1 / e),
    ("this is the logarithm of what is asked for.", np.log),
    ("this is the exponential of what is asked for.", np.exp),
    ("this is the square of what is asked for.", np.square),
    ("this is the square root of what is asked for.", np.sqrt),
    ("this is 1 minus what is asked for.", lambda e: 1 - e),
    ("negative values are set to 0; they should stay.", lambda e: np.maximum(e, 0)),
    ("values above 1 are cut off at 1; they should stay.", lambda e: np.minimum(e, 1)),
    ("the values are cut off at 0 and 1; they should stay.", lambda e: np.clip(e, 0, 1)),
    *[(f"the values are rounded to {k} decimals; do not round." if k else "the values are rounded to whole numbers; do "
       "not round. (Is the array one of integers?)", lambda e, k=k: np.round(e, k)) for k in range(5)],
    ("the values are cut to whole numbers; an array of integers drops what stands after the point.", np.trunc),
    ("the values are rounded down to whole numbers: // or np.floor.", np.floor),
    ("the values are rounded up to whole numbers.", np.ceil),
    ("only the sign of each value is left.", np.sign),
    ("the values are right, but in the opposite order along axis 0.", lambda e: e[::-1]),
    ("the values are right, but in the opposite order along the last axis.", lambda e: e[..., ::-1]),
    ("the values are right, but rows and columns are swapped.", lambda e: _at_least(e, 2).T),
    ("the values are right, but sorted; keep the order of the arguments.", lambda e: np.sort(e, axis=0)),
    ("the values are right, but sorted, the largest first; keep the order of the arguments.",
     lambda e: np.sort(e, axis=0)[::-1]),
    ("the values are right, but sorted along the last axis; keep their order.", lambda e: np.sort(e, axis=-1)),
    ("the values are right, but moved by one place along axis 0.", lambda e: np.roll(e, 1, axis=0)),
    ("the values are right, but moved by one place along axis 0.", lambda e: np.roll(e, -1, axis=0)),
    ("the values are right, but the first one of axis 0 is left out.", lambda e: _at_least(e, 1)[1:]),
    ("the values are right, but the last one of axis 0 is left out.", lambda e: _at_least(e, 1)[:-1]),
    ("the values are right, but the first one of axis 1 is left out.", lambda e: _at_least(e, 2)[:, 1:]),
    ("the values are right, but the last one of axis 1 is left out.", lambda e: _at_least(e, 2)[:, :-1]),
    ("this is only the first of the values that are asked for.", lambda e: _at_least(e, 1)[0]),
    ("this is only the last of the values that are asked for. Does a loop overwrite it, or return too late?",
     lambda e: _at_least(e, 1)[-1]),
    ("this is only the first of the values that are asked for. Is a `return` inside of a loop?",
     lambda e: _at_least(e, 1)[:1]),
    ("every row is the first one, repeated.", lambda e: np.broadcast_to(_at_least(e, 1)[:1], e.shape)),
    ("every row is the last one, repeated.", lambda e: np.broadcast_to(_at_least(e, 1)[-1:], e.shape)),
    ("all but the first value are 0. Is a `return` inside of a loop?", lambda e: _only(e, 0)),
    ("all but the last value are 0.", lambda e: _only(e, -1)),
    ("the last value is 0: a loop stops one step too early.", lambda e: _without(e, -1)),
    ("the first value is 0: a loop begins one step too late.", lambda e: _without(e, 0)),
    ("each value contains those before it: a sum is not set back to 0 (np.cumsum).",
     lambda e: np.cumsum(_at_least(e, 1), axis=0)),
    ("each value contains those before it in its row: a sum is not set back to 0 (np.cumsum).",
     lambda e: np.cumsum(_at_least(e, 2), axis=1)),
    ("every value is the first one, repeated.", lambda e: np.full(e.shape, e.flat[0])),
    ("these are the differences between neighbours of the right values.", lambda e: np.diff(e, axis=0)),
    ("you also add up all of them: one number comes out.", np.sum),
    ("you also take the mean over all of them: one number comes out.", np.mean),
    ("this is only the largest of the right values.", np.max),
    ("this is only the smallest of the right values.", np.min),
    ("this is the median of the right values.", np.median),
    ("every value is the mean of the right ones.", lambda e: np.full(e.shape, e.mean())),
    ("every value is the sum of the right ones.", lambda e: np.full(e.shape, e.sum())),
    ("you also add up along axis 0.", lambda e: _at_least(e, 2).sum(axis=0)),
    ("you also take the mean along axis 0.", lambda e: _at_least(e, 2).mean(axis=0)),
    ("you also add up along the last axis.", lambda e: _at_least(e, 1).sum(axis=-1)),
    ("you also take the mean along the last axis.", lambda e: _at_least(e, 1).mean(axis=-1)),
    ("the right values are divided by their sum; that is not asked for.", lambda e: e / e.sum()),
    ("the right values are divided by their length; that is not asked for.", lambda e: e / np.linalg.norm(e)),
    ("the right values are divided by the largest; that is not asked for.", lambda e: e / e.max()),
    ("the mean of the right values is subtracted from them.", lambda e: e - e.mean()),
    ("the mean of the right values over axis 0 is subtracted from them.", lambda e: e - _at_least(e, 2).mean(axis=0)),
    ("the smallest of the right values is subtracted from them.", lambda e: e - e.min()),
    ("the values are right, but there is one table of them for each.", lambda e: np.broadcast_to(e, (len(e), *e.shape))
     ),
]  # fmt: skip


def _at_least(array, axes):
    if array.ndim < axes:
        raise ValueError
    return array


def _only(array, place):
    result = np.zeros_like(_at_least(array, 1))
    result[place] = array[place]
    return result


def _without(array, place):
    result = _at_least(array, 1).copy()
    result[place] = 0
    return result


# Changes of an argument; @ is its name. The likely ones are tried together with another mistake, too.
LIKELY = [
    ("0 in place of @: is it used?", np.zeros_like),
    ("1 in place of @", np.ones_like),
    ("−@ in place of @: look at its sign", np.negative),
    ("1 − @ in place of @", lambda a: 1 - a),
    ("the absolute value of @", np.abs),
    ("the square of @ in place of @", np.square),
    ("the square root of @ in place of @", np.sqrt),
    ("exp(@) in place of @", np.exp),
    ("exp(@/2) in place of @", lambda a: np.exp(a / 2)),
    ("the logarithm of @ in place of @", np.log),
    ("the logarithm of the absolute value of @ in place of @", lambda a: np.log(np.abs(a))),
    ("2·@ in place of @", lambda a: 2 * a),
    ("half of @ in place of @", lambda a: a / 2),
    ("@ + 1 in place of @", lambda a: a + 1),
    ("@ − 1 in place of @", lambda a: a - 1),
    ("sigmoid(@) in place of @", lambda a: 1 / (1 + np.exp(-a))),
    ("@ > 0 in place of @", lambda a: (a > 0).astype(float)),
    ("the mean of @ over axis 0 in place of each row", lambda a: np.broadcast_to(_at_least(a, 2).mean(0), a.shape)),
    ("the first row of @ in place of each row", lambda a: np.broadcast_to(_at_least(a, 2)[:1], a.shape)),
    ("@ in the opposite order along axis 0", lambda a: a[::-1]),
    ("rows and columns of @ swapped", lambda a: np.swapaxes(_at_least(a, 2), 0, 1)),
]
OTHERS = [
    ("the square root of the absolute value of @ in place of @", lambda a: np.sqrt(np.abs(a))),
    ("1 / @ in place of @", lambda a: 1 / a),
    ("tanh(@) in place of @", np.tanh),
    ("softplus(@) in place of @", lambda a: np.logaddexp(0, a)),
    ("@ with negative values set to 0", lambda a: np.maximum(a, 0)),
    ("@ with positive values set to 0", lambda a: np.minimum(a, 0)),
    *[(f"@ cut off at −{c} and {c}", lambda a, c=c: np.clip(a, -c, c)) for c in (1, 2, 3, 5, 10)],
    *[(f"@ cut off at {c}", lambda a, c=c: np.minimum(a, c)) for c in (1, 2, 5, 10)],
    ("@ cut off at 0 and 1", lambda a: np.clip(a, 0, 1)),
    ("@ rounded to whole numbers", np.round),
    ("@ cut to whole numbers: an array of integers drops what stands after the point", np.trunc),
    ("@ rounded to one decimal", lambda a: np.round(a, 1)),
    ("@ rounded to two decimals", lambda a: np.round(a, 2)),
    ("@ > 0.5 in place of @", lambda a: (a > 0.5).astype(float)),
    ("@ minus its mean", lambda a: a - a.mean()),
    ("@ minus its mean over axis 0", lambda a: a - _at_least(a, 2).mean(axis=0)),
    ("@ minus its mean over the last axis", lambda a: a - _at_least(a, 2).mean(axis=-1, keepdims=True)),
    ("the mean of @ in place of each of its numbers", lambda a: np.full(a.shape, a.mean())),
    ("the last row of @ in place of each row", lambda a: np.broadcast_to(_at_least(a, 2)[-1:], a.shape)),
    ("the first number of @ in place of each", lambda a: np.full(a.shape, a.flat[0])),
    ("@ in the opposite order along its last axis", lambda a: _at_least(a, 2)[..., ::-1]),
    ("@ without its first row", lambda a: a[1:]),
    ("@ without its last row", lambda a: a[:-1]),
    ("@ without its last column", lambda a: _at_least(a, 2)[:, :-1]),
    ("@ without its first column", lambda a: _at_least(a, 2)[:, 1:]),
    ("only the first row of @", lambda a: _at_least(a, 2)[:1]),
    ("only the first column of @", lambda a: _at_least(a, 2)[:, :1]),
    ("@ sorted", lambda a: np.sort(a, axis=0)),
    ("@ sorted along its last axis", lambda a: np.sort(_at_least(a, 2), axis=-1)),
    ("@ moved by one place along axis 0", lambda a: np.roll(a, 1, axis=0)),
    ("@ moved by one place along axis 0", lambda a: np.roll(a, -1, axis=0)),
    ("@ moved by one place along its last axis", lambda a: np.roll(_at_least(a, 2), 1, axis=-1)),
    ("@ moved by one place along its last axis", lambda a: np.roll(_at_least(a, 2), -1, axis=-1)),
    ("@ divided by its largest absolute value", lambda a: a / np.abs(a).max()),
    ("@ divided by its length", lambda a: a / np.linalg.norm(a)),
    ("@ divided by its sum", lambda a: a / a.sum()),
    ("@ divided by its largest value", lambda a: a / a.max()),
    ("@ divided by its standard deviation", lambda a: a / a.std()),
    ("@ minus its largest value", lambda a: a - a.max()),
    ("the differences of @ in place of @", lambda a: np.diff(a)),
]
PLAIN_INPUTS = [
    ("−@ in place of @", lambda v: -v),
    ("@ + 1 in place of @", lambda v: v + 1),
    ("@ − 1 in place of @", lambda v: v - 1),
    ("2·@ in place of @", lambda v: 2 * v),
    ("half of @ in place of @", lambda v: v / 2),
    ("the square of @ in place of @", lambda v: v * v),
    ("the square root of @ in place of @", lambda v: v**0.5),
    ("1 / @ in place of @", lambda v: 1 / v),
    ("the logarithm of @ in place of @", np.log),
    ("@ = 0: is it used?", lambda v: 0),
    ("@ = 1: is it used?", lambda v: 1),
]

# What may be missing or too much in a sum; summed over the axes that the result does not have.
FEATURES = [
    ("the sum of @", lambda a: a),
    ("the sum of the squares of @", np.square),
    ("the sum of the absolute values of @", np.abs),
    ("the sum of exp(@)", np.exp),
    ("the sum of exp(−@)", lambda a: np.exp(-a)),
    ("the sum of exp(@/2)", lambda a: np.exp(a / 2)),
    ("the sum of log(1 + exp(@))", lambda a: np.logaddexp(0, a)),
    ("the sum of log(1 + exp(−@))", lambda a: np.logaddexp(0, -a)),
    ("the sum of log @", lambda a: np.log(a)),
    ("the sum of sigmoid(@)", lambda a: 1 / (1 + np.exp(-a))),
]
PRODUCTS = [
    ("the sum of @ · #", lambda a, b: a * b),
    ("the sum of (@ − #)²", lambda a, b: (a - b) ** 2),
    ("the sum of @² · exp(−#)", lambda a, b: a * a * np.exp(-b)),
    ("the sum of exp(@ − #)", lambda a, b: np.exp(a - b)),
]

TESTS = [
    ("negative", lambda a: a < 0),
    ("positive", lambda a: a > 0),
    ("0", lambda a: a == 0),
    ("not 0", lambda a: a != 0),
    ("1", lambda a: a == 1),
    ("above 1", lambda a: a > 1),
    ("at least 1", lambda a: a >= 1),
    ("below 1", lambda a: a < 1),
    ("outside of −1 to 1", lambda a: np.abs(a) > 1),
    ("between −1 and 1", lambda a: np.abs(a) < 1),
]

# Ways to come from a table (one number for each pixel or latent) to the result; the sum over `axes` is right.
REDUCTIONS = [
    ("this is the largest of the numbers that should be added up.", lambda t, axes: t.max(axis=axes)),
    ("this is the smallest of the numbers that should be added up.", lambda t, axes: t.min(axis=axes)),
    ("this is the median of the numbers that should be added up.", lambda t, axes: np.median(t, axis=axes)),
    ("this is the product of the numbers that should be added up.", lambda t, axes: t.prod(axis=axes)),
    ("this is the standard deviation of the numbers that should be added up.", lambda t, axes: t.std(axis=axes)),
    ("this is the variance of the numbers that should be added up.", lambda t, axes: t.var(axis=axes)),
    ("the numbers are squared before they are added up.", lambda t, axes: (t**2).sum(axis=axes)),
    ("roots are taken before the numbers are added up.", lambda t, axes: np.sqrt(np.abs(t)).sum(axis=axes)),
    ("absolute values are taken before the numbers are added up.", lambda t, axes: np.abs(t).sum(axis=axes)),
    ("this is the root of the sum of the squares.", lambda t, axes: np.sqrt((t**2).sum(axis=axes))),
    ("only the positive of the numbers are added up.", lambda t, axes: np.maximum(t, 0).sum(axis=axes)),
    ("only every second row is added up.", lambda t, axes: t[:, ::2].sum(axis=axes)),
    *[(f"the first place of axis {k} is not added up.", lambda t, axes, k=k: _part(t, k, slice(1, None)).sum(axes))
      for k in (1, 2, 3)],
    *[(f"the last place of axis {k} is not added up.", lambda t, axes, k=k: _part(t, k, slice(-1)).sum(axis=axes))
      for k in (1, 2, 3)],
    *[(f"of axis {k} only the first place counts.", lambda t, axes, k=k: _part(t, k, slice(1)).sum(axis=axes))
      for k in (1, 2, 3)],
    *[(f"of axis {k} only the last place counts.", lambda t, axes, k=k: _part(t, k, slice(-1, None)).sum(axis=axes))
      for k in (1, 2, 3)],
    *[(f"over axis {k} you take the mean; add up over all of them.",
       lambda t, axes, k=k: t.mean(axis=k, keepdims=True).sum(axis=axes)) for k in (1, 2, 3)],
    *[(f"over axis {k} you take the largest; add up over all of them.",
       lambda t, axes, k=k: t.max(axis=k, keepdims=True).sum(axis=axes)) for k in (1, 2, 3)],
]  # fmt: skip


def _part(table, axis, part):
    return np.moveaxis(np.moveaxis(table, axis, 0)[part], 0, axis)
