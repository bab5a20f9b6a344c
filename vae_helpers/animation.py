"""GIFs through imageio."""

import base64
import html
import os
from pathlib import Path

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np

from vae_helpers.inputs import as_brightness


def check_writable(path, suffix=".gif"):
    """Raise ValueError unless a file with this suffix can be written at path. Call it before long work, not after."""
    path = Path(path)
    if path.suffix != suffix or path.is_dir():
        raise ValueError(f"path is {str(path)!r}; it must be a file that ends in {suffix}.")
    if not path.parent.is_dir():
        raise ValueError(f"the folder {str(path.parent)!r} does not exist: make it first, or choose another path.")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"the folder {str(path.parent)!r} cannot be written to: choose another path.")


def write_whole(path, write):
    """Call write(draft) with a path beside `path`, and move the file into place when it is complete."""
    draft = path.with_name(f".draft-{os.getpid()}-{path.name}")
    try:
        write(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def save_gif(frames, path, frame_ms=120, last_ms=1500):
    """Write frames as a GIF that loops for ever and holds its last frame.

    frames: arrays of one shape, (height, width) or (height, width, 1, 3 or 4), in [0, 1] or uint8; at least one.
    frame_ms, last_ms: how long each frame, and the last one, is shown, in milliseconds; a GIF counts in steps of 10.

    The file is written beside path, read back, and moved into place only when its duration is right.
    Returns the path. Raises ValueError for no frames, frames of different shapes, or a path that cannot be written.
    """
    check_writable(path)
    frames = [_to_uint8(frame, f"frames[{i}]") for i, frame in enumerate(frames)]
    if not frames:
        raise ValueError("frames is empty: a GIF needs at least one.")
    if len({frame.shape for frame in frames}) > 1:
        raise ValueError(f"frames have different shapes: {sorted({frame.shape for frame in frames})}.")
    if min(frame_ms, last_ms) < 20:
        raise ValueError(f"frame_ms and last_ms must be at least 20; they are {frame_ms} and {last_ms}.")
    durations = [10 * round(frame_ms / 10)] * (len(frames) - 1) + [10 * round(last_ms / 10)]
    path = Path(path)

    def write(draft):
        iio.imwrite(draft, frames, duration=durations if len(frames) > 1 else durations[0], loop=0)
        written = gif_duration_ms(draft)
        if written != sum(durations):
            raise ValueError(f"the GIF lasts {written} ms instead of {sum(durations)}: update imageio and pillow.")

    write_whole(path, write)
    return path


def show_gif(path, scale=1, alt="animation"):
    """The GIF at path as an image that a notebook shows, also when it is exported to HTML.

    scale: how many screen pixels a side of each pixel gets. alt: what the film shows, in words, for screen readers.
    Raises ValueError for a file that is not a GIF.
    """
    from IPython.display import HTML  # a notebook has it; the package does without

    data = Path(path).read_bytes()
    if not data.startswith(b"GIF8"):
        raise ValueError(f"{str(path)!r} is not a GIF: give what save_gif returned.")
    width = int.from_bytes(data[6:8], "little") * scale
    source = "data:image/gif;base64," + base64.b64encode(data).decode()
    style = "image-rendering: pixelated; max-width: 100%"
    return HTML(f'<img src="{source}" width="{width}" alt="{html.escape(alt)}" style="{style}">')


def as_frame(figure):
    """A Matplotlib figure, or that of an axes, as a frame for save_gif, (height, width, 3) in uint8. It is closed."""
    figure = figure.figure  # an axes has its figure there, a figure itself
    figure.canvas.draw()
    frame = np.array(figure.canvas.buffer_rgba())[..., :3]
    plt.close(figure)
    return frame


def gif_duration_ms(path):
    """How long one round of a GIF lasts, in milliseconds. (Equal neighbouring frames are stored as one long one.)"""
    with iio.imopen(path, "r") as file:
        count = file.properties(index=...).n_images or 1
        return int(sum(file.metadata(index=i).get("duration", 0) for i in range(count)))


def _to_uint8(frame, name):
    frame = np.asarray(frame)
    if frame.ndim == 3 and frame.shape[-1] == 1:
        frame = frame[..., 0]
    if frame.ndim not in (2, 3) or frame.shape[2:] not in ((), (3,), (4,)):
        raise ValueError(f"{name} has shape {frame.shape}; it must be (height, width) or (height, width, 3).")
    return frame if frame.dtype == np.uint8 else np.rint(255 * as_brightness(frame, name)).astype("uint8")
