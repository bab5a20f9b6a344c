"""Ways from one code to another."""

import numpy as np


def straight_line(start, end, steps=10):
    """Points in equal steps on the straight line, both ends included.

    start, end: (latent_dim,). Returns (steps, latent_dim). Raises ValueError for other shapes, or fewer than 2 steps.
    """
    start, end = _check(start, end, steps)
    t = np.linspace(0, 1, steps)[:, None]
    return (1 - t) * start + t * end


def great_circle(start, end, steps=10):
    """Points that turn from one direction to the other by equal angles, while the length goes evenly too.

    start, end: (latent_dim,), neither of them 0. Returns (steps, latent_dim), both ends included. Where both have the
    same direction, the way is a straight line; where they are exactly opposite, no way is shorter than the others,
    and it raises ValueError. Source: K. Shoemake, Animating rotation with quaternion curves (1985); T. White, Sampling
    generative networks (2016), uses it for codes, with the same length at both ends.
    """
    start, end = _check(start, end, steps)
    length_start, length_end = np.linalg.norm(start), np.linalg.norm(end)
    if min(length_start, length_end) == 0:
        raise ValueError("start or end is 0: it has no direction. Use straight_line.")
    from_direction, to_direction = start / length_start, end / length_end
    angle = np.arccos(np.clip(from_direction @ to_direction, -1, 1))
    if np.pi - angle < 1e-6:
        raise ValueError("start and end are exactly opposite: every great circle is as short. Go through a third code.")
    if angle < 1e-6:
        return straight_line(start, end, steps)
    t = np.linspace(0, 1, steps)[:, None]
    direction = (np.sin((1 - t) * angle) * from_direction + np.sin(t * angle) * to_direction) / np.sin(angle)
    return ((1 - t) * length_start + t * length_end) * direction


def _check(start, end, steps):
    start, end = np.asarray(start), np.asarray(end)
    if start.ndim != 1 or start.shape != end.shape:
        raise ValueError(f"start has shape {start.shape} and end {end.shape}; both must be one code, (latent_dim,).")
    if steps < 2:
        raise ValueError(f"steps is {steps}; a way has at least 2 points, its ends.")
    return start, end
