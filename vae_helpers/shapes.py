"""A small set of shapes, drawn here with known factors: to measure what each latent of a model has learned."""

import numbers
from dataclasses import dataclass

import numpy as np

SIDE = 28
_FINE = 4  # points per pixel and axis; a pixel is white where at least half of its points lie in the shape


@dataclass(frozen=True)
class Shapes:
    """Images, and the factors that made them.

    images: float32 (n, 28, 28, 1), pixels 0 and 1. factors: int64 (n, 4), the step of each factor, from 0.
    factor_names: what the columns of `factors` are.
    """

    images: np.ndarray
    factors: np.ndarray
    factor_names: tuple = ("position x", "position y", "size", "angle")

    @property
    def image_shape(self):
        """(height, width, channels)."""
        return self.images.shape[1:]


def draw_shapes(positions=8, sizes=4, angles=8):
    """Draw a white wedge at each combination of position x, position y, size and angle: always the same images.

    positions: steps along x, to the right, and along y, upward. sizes: steps from small to large. angles: steps of
        the direction in which the wedge points, from 60° below the right to 60° above it. It never turns full
        circle, so one number tells the angle: near angles look alike, and the two ends do not. Each is 2 or more.

    Returns a Shapes of positions² · sizes · angles images, by default 2048; the angle changes fastest.
    Raises ValueError for less than 2 steps, and for what is no whole number.
    Source: the idea of a full grid of known factors is that of dSprites (Matthey et al., 2017).
    """
    steps = {"positions": positions, "sizes": sizes, "angles": angles}
    for name, count in steps.items():
        if not isinstance(count, numbers.Integral) or count < 2:
            raise ValueError(f"{name} is {count!r}; a factor needs at least 2 steps, a whole number.")
    factors = np.indices((positions, positions, sizes, angles)).reshape(4, -1).T
    places = np.linspace(-5, 5, positions)  # pixels from the middle
    lengths = np.linspace(5, 9, sizes)  # pixels from the middle of the wedge to its tip
    turns = np.radians(np.linspace(-60, 60, angles))
    images = [_wedge(places[i], places[j], lengths[k], turns[m]) for i, j, k, m in factors]
    return Shapes(np.stack(images), factors.astype("int64"))


def _wedge(x, y, length, turn):
    points = (np.arange(SIDE * _FINE) + 0.5) / _FINE - SIDE / 2
    right, up = np.meshgrid(points - x, points[::-1] - y)  # row 0 of an image is its top
    along = right * np.cos(turn) + up * np.sin(turn)
    aside = up * np.cos(turn) - right * np.sin(turn)
    inside = (along > -length / 2) & (np.abs(aside) < 0.28 * (length - along))
    covered = inside.reshape(SIDE, _FINE, SIDE, _FINE).mean(axis=(1, 3))
    return (covered >= 0.5).astype("float32")[:, :, None]
