"""GIFs, and the callback that collects their frames."""

import imageio.v3 as iio
import matplotlib.pyplot as plt
import numpy as np
import pytest

import vae_helpers as vh
from vae_helpers.animation import gif_duration_ms
from vae_helpers.training import STEPS_PER_EXECUTION


@pytest.fixture
def frames():
    return list(np.random.default_rng(0).random((4, 20, 30)))


def test_durations_are_milliseconds_and_the_last_frame_is_held(frames, tmp_path):
    path = vh.save_gif(frames, tmp_path / "a.gif", frame_ms=120, last_ms=1000)
    assert gif_duration_ms(path) == 3 * 120 + 1000
    assert iio.imread(path).shape[:3] == (4, 20, 30)


def test_the_gif_loops_for_ever(frames, tmp_path):
    assert b"NETSCAPE2.0\x03\x01\x00\x00" in vh.save_gif(frames, tmp_path / "a.gif").read_bytes()


def test_equal_frames_keep_their_time(frames, tmp_path):
    path = vh.save_gif([frames[0]] * 3 + [frames[1]], tmp_path / "a.gif", frame_ms=100, last_ms=500)
    assert gif_duration_ms(path) == 800


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3)])
def test_grey_and_colour(shape, tmp_path):
    values = np.linspace(0, 1, np.prod(shape)).reshape(shape)
    picture = iio.imread(vh.save_gif([values], tmp_path / "a.gif"), index=0, mode="RGB")
    expected = np.broadcast_to(values.reshape(20, 30, -1), (20, 30, 3))
    np.testing.assert_allclose(picture / 255, expected, atol=0.12)  # a GIF has 256 colours


@pytest.mark.parametrize(
    ("frames", "name", "message"),
    [
        ([], "a.gif", "frames is empty"),
        ([np.zeros((4, 4)), np.zeros((5, 4))], "a.gif", "different shapes"),
        ([np.zeros(4)], "a.gif", r"frames\[0\] has shape"),
        ([np.zeros((4, 4))], "a.png", "ends in .gif"),
        ([np.zeros((4, 4))], "missing/a.gif", "does not exist"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(frames, name, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        vh.save_gif(frames, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(frames, tmp_path, monkeypatch):
    path = vh.save_gif(frames, tmp_path / "a.gif")
    before = path.read_bytes()
    monkeypatch.setattr("vae_helpers.animation.gif_duration_ms", lambda path: 1)
    with pytest.raises(ValueError, match="lasts 1 ms"):
        vh.save_gif(frames[:2], path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_the_callback_keeps_one_frame_before_training_and_one_per_epoch(make_vae, binary):
    vae = make_vae()
    frames = vh.Frames(lambda model: model.reconstruct(binary[:1])[0])
    vae.fit(binary, epochs=2, verbose=0, callbacks=[frames])
    assert len(frames.frames) == 3
    assert not np.allclose(frames.frames[0], frames.frames[2])


@pytest.mark.parametrize("steps_per_execution", sorted({1, min(4, STEPS_PER_EXECUTION)}))
def test_the_callback_draws_within_epochs_too(make_vae, binary, steps_per_execution):
    vae = make_vae()
    vae.compile(steps_per_execution=steps_per_execution)
    frames = vh.Frames(lambda model: 0, every=4)
    vae.fit(binary, epochs=2, batch_size=3, verbose=0, callbacks=[frames])  # 13 steps in an epoch
    assert len(frames.frames) == 1 + 6 + 1  # before; six multiples of 4 in 26 steps; the trained model


def test_a_gif_is_shown_as_an_image_that_needs_no_file(tmp_path):
    path = vh.save_gif([np.zeros((4, 6)), np.ones((4, 6))], tmp_path / "a.gif")
    shown = vh.show_gif(path, scale=3, alt='a "dot"').data
    path.unlink()
    assert shown.startswith('<img src="data:image/gif;base64,R0lGOD')
    assert 'width="18"' in shown and 'alt="a &quot;dot&quot;"' in shown


def test_only_a_gif_is_shown(tmp_path):
    path = tmp_path / "a.gif"
    path.write_text("no picture")
    with pytest.raises(ValueError, match="not a GIF"):
        vh.show_gif(path)


def test_a_figure_becomes_a_frame_and_is_closed():
    figure = plt.figure(figsize=(2, 1), dpi=50, facecolor="red", layout="none")
    frame = vh.as_frame(figure)
    assert frame.shape == (50, 100, 3) and frame.dtype == np.uint8
    assert (frame == [255, 0, 0]).all() and not plt.fignum_exists(figure.number)
