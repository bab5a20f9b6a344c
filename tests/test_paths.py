"""Ways from one code to another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import vae_helpers as vh

codes = arrays.arrays("float64", 3, elements=st.floats(-5, 5)).filter(lambda code: np.linalg.norm(code) > 0.1)
ways = pytest.mark.parametrize("way", [vh.straight_line, vh.great_circle])


@ways
def test_both_ends_are_reached(way):
    start, end = np.array([1.0, 2.0]), np.array([-2.0, 0.5])
    points = way(start, end, 7)
    assert points.shape == (7, 2)
    np.testing.assert_allclose(points[[0, -1]], [start, end], atol=1e-12)


def test_a_straight_line_has_equal_steps():
    steps = np.diff(vh.straight_line([0.0, 1.0], [3.0, 7.0], 5), axis=0)
    np.testing.assert_allclose(steps, np.tile([0.75, 1.5], (4, 1)))


@given(codes, codes)
def test_a_great_circle_turns_by_equal_angles_and_its_length_goes_evenly(start, end):
    if start @ end / (np.linalg.norm(start) * np.linalg.norm(end)) < -0.999:
        return
    points = vh.great_circle(start, end, 6)
    lengths = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(np.diff(lengths, 2), 0, atol=1e-6)
    directions = points / lengths[:, None]
    chords = np.linalg.norm(np.diff(directions, axis=0), axis=1)
    np.testing.assert_allclose(chords, chords[0], atol=1e-5)


def test_equal_directions_give_a_straight_line():
    start = np.array([1.0, 1.0])
    np.testing.assert_allclose(vh.great_circle(start, 3 * start, 3), [[1, 1], [2, 2], [3, 3]])


def test_opposite_directions_are_refused():
    with pytest.raises(ValueError, match="opposite"):
        vh.great_circle(np.array([1.0, 1.0]), np.array([-2.0, -2.0]))


def test_a_code_without_direction_is_refused():
    with pytest.raises(ValueError, match="straight_line"):
        vh.great_circle(np.zeros(2), np.ones(2))


@ways
@pytest.mark.parametrize("start, end, steps, words", [
    (np.ones(2), np.ones(3), 5, "shape"),
    (np.ones((1, 2)), np.ones((1, 2)), 5, "shape"),
    (np.ones(2), np.ones(2), 1, "steps"),
])  # fmt: skip
def test_bad_input_is_named(way, start, end, steps, words):
    with pytest.raises(ValueError, match=words):
        way(start, end, steps)
