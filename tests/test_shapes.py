"""`draw_shapes`: a full grid of known factors, and images that show them."""

import dataclasses

import numpy as np
import pytest

import vae_helpers as vh


@pytest.fixture(scope="module")
def shapes():
    return vh.draw_shapes(positions=4, sizes=3, angles=5)


def centres(images):
    """The mean place of the white pixels: (n, 2), x to the right, y upward, from the middle."""
    side = images.shape[1]
    along = np.arange(side) - (side - 1) / 2
    mass = images[..., 0].sum(axis=(1, 2))
    x = (images[..., 0] * along).sum(axis=(1, 2)) / mass
    y = (images[..., 0] * -along[:, None]).sum(axis=(1, 2)) / mass
    return np.stack([x, y], axis=1)


def test_the_factors_are_the_full_grid_in_order(shapes):
    assert shapes.factors.shape == (4 * 4 * 3 * 5, 4) and shapes.factors.dtype == np.int64
    assert shapes.factors.tolist() == list(map(list, np.ndindex(4, 4, 3, 5)))
    assert shapes.factor_names == ("position x", "position y", "size", "angle")


def test_the_images_are_black_and_white_in_the_shape_of_the_course(shapes):
    assert shapes.images.shape == (240, 28, 28, 1) and shapes.image_shape == (28, 28, 1)
    assert shapes.images.dtype == np.float32
    assert set(np.unique(shapes.images)) == {0.0, 1.0}


def test_by_default_no_two_images_are_equal_and_no_shape_touches_the_border():
    images = vh.draw_shapes().images[..., 0]
    assert len(images) == 2048 == len(np.unique(images.reshape(2048, -1), axis=0))
    assert images[:, [0, -1]].sum() == images[:, :, [0, -1]].sum() == 0
    assert images.sum(axis=(1, 2)).min() > 8


def test_the_images_are_the_same_each_time(shapes):
    again = vh.draw_shapes(positions=4, sizes=3, angles=5)
    np.testing.assert_array_equal(again.images, shapes.images)


@pytest.mark.parametrize("axis, name", [(0, "position x"), (1, "position y")])
def test_a_step_of_a_position_moves_the_shape_along_its_axis(shapes, axis, name):
    column = shapes.factor_names.index(name)
    of_step = [centres(shapes.images[shapes.factors[:, column] == step]).mean(axis=0) for step in range(4)]
    moved = np.diff(of_step, axis=0)
    np.testing.assert_allclose(moved[:, axis], 10 / 3, atol=0.2)
    np.testing.assert_allclose(moved[:, 1 - axis], 0, atol=0.2)


def test_a_larger_size_has_more_white_pixels_everywhere(shapes):
    white = shapes.images.sum(axis=(1, 2, 3)).reshape(16, 3, 5)
    assert (np.diff(white, axis=1) > 0).all()


def test_the_wedge_points_where_its_angle_says(shapes):
    # The tip is thin, so the long way from the centre to the farthest white pixel is the way to the tip.
    large = shapes.factors[:, 2] == 2
    degrees = np.linspace(-60, 60, 5)
    grid = np.arange(28) - 13.5
    for image, factor, centre in zip(shapes.images[large], shapes.factors[large], centres(shapes.images[large])):
        rows, columns = np.nonzero(image[..., 0])
        ways = np.stack([grid[columns], -grid[rows]], axis=1) - centre
        tip = ways[np.argmax((ways**2).sum(axis=1))]
        assert np.degrees(np.arctan2(tip[1], tip[0])) == pytest.approx(degrees[factor[3]], abs=12)


def test_the_result_cannot_be_changed_by_mistake(shapes):
    with pytest.raises(dataclasses.FrozenInstanceError):
        shapes.images = None


@pytest.mark.parametrize("name", ["positions", "sizes", "angles"])
def test_a_factor_needs_two_steps(name):
    with pytest.raises(ValueError, match=f"{name} is 1; a factor needs at least 2 steps"):
        vh.draw_shapes(**{name: 1})


@pytest.mark.parametrize("count", [True, 2.5, 8.0, "8", None, [8]])
def test_a_number_of_steps_is_whole(count):
    with pytest.raises(ValueError, match=r"sizes is .*a whole number"):
        vh.draw_shapes(sizes=count)


def test_codes_that_are_the_factors_are_told_apart(shapes):
    rng = np.random.default_rng(0)
    codes = shapes.factors + 0.01 * rng.normal(size=shapes.factors.shape)
    assert vh.mutual_information_gap(codes, shapes.factors).min() > 0.8
