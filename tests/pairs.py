"""Which of all combinations of some arguments the default suite runs."""

import itertools

import pytest


def by_pairs(**arguments):
    """Parametrize with all combinations; those are `long` that no pair of values of two arguments needs.

    arguments: a list of values for each argument. A fault that shows for one value, or for two together, is so found
    without the long ones, at a fraction of the tests.
    """
    names, values = list(arguments), [list(choices) for choices in arguments.values()]
    combinations = list(itertools.product(*map(range, map(len, values))))
    needed = cover(combinations)
    rows = [
        pytest.param(
            *(choices[i] for choices, i in zip(values, combination)),
            marks=() if combination in needed else pytest.mark.long,
        )
        for combination in combinations
    ]
    return pytest.mark.parametrize(names, rows)


def cover(combinations):
    """Few of the combinations, in which each pair of places with its two values occurs: always the one with most."""

    def pairs(combination):
        return set(itertools.combinations(enumerate(combination), 2))

    left, chosen = set().union(*map(pairs, combinations)), set()
    while left:
        best = max(combinations, key=lambda combination: len(pairs(combination) & left))
        chosen.add(best)
        left -= pairs(best)
    return chosen
