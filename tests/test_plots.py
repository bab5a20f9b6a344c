"""What the figures show: read back from the axes, never compared as pictures."""

from itertools import combinations
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.axes import Axes
from scipy.stats import norm

import vae_helpers as vh


class Painter:
    """A stand-in for a model: decode paints the first latent into red, the second into green."""

    latent_dim = 2

    def __init__(self, side=4, low=-4, high=4):
        self.side, self.low, self.high = side, low, high
        self.calls = []

    def decode(self, z):
        self.calls.append(np.asarray(z))
        images = np.zeros((len(z), self.side, self.side + 2, 3))  # wider than high: exchanging the axes would show
        images[..., :2] = ((np.asarray(z) - self.low) / (self.high - self.low))[:, None, None]
        return images

    def latents(self, pixel):
        """The code that a pixel of the picture was decoded from."""
        return self.low + np.asarray(pixel)[:2] * (self.high - self.low)

    def reconstruct(self, x):
        return 1 - x


def picture(ax):
    """The one picture drawn, (height, width, channels); Matplotlib drops a single channel."""
    (image,) = ax.images
    return np.asarray(image.get_array()).reshape(*image.get_shape()[:2], -1)


def ticks(axis):
    """(position, text) of each tick, left to right or top to bottom."""
    return sorted((tick, label.get_text()) for tick, label in zip(axis.get_ticklocs(), axis.get_ticklabels()))


def history(**values):
    return SimpleNamespace(history=values)


NETWORK = vh.mlp_decoder((4, 4, 1), 2, (8,))
IMAGES = np.random.default_rng(0).random((3, 4, 4, 1))
VAE_HISTORY = history(
    kl=[1.0, 2], loss=[9.0, 8], reconstruction=[8.0, 6], val_kl=[1.5, 2], val_loss=[9.0, 9], val_reconstruction=[7.5, 7]
)
AE_HISTORY = history(loss=[9.0, 8], reconstruction=[9.0, 8], val_loss=[9.0, 7], val_reconstruction=[9.0, 7])

DRAW = {
    "images": lambda ax: vh.plot_images(IMAGES, ax=ax),
    "reconstructions": lambda ax: vh.plot_reconstructions(Painter(), IMAGES, ax=ax),
    "scatter": lambda ax: vh.plot_latent_scatter(np.eye(2), [0, 1], "ab", ax=ax),
    "manifold": lambda ax: vh.plot_manifold(Painter(), n=3, ax=ax),
    "architecture": lambda ax: vh.plot_architecture(NETWORK, ax=ax),
    "history": lambda ax: vh.plot_history(AE_HISTORY, ax=ax),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_a_figure_of_its_own_is_made_only_without_ax(draw):
    _, ax = plt.subplots()
    assert np.atleast_1d(draw(ax)).tolist() == [ax]
    assert len(plt.get_fignums()) == 1
    own = np.atleast_1d(draw(None))
    assert all(isinstance(one, Axes) and one is not ax for one in own)
    assert len(plt.get_fignums()) == 2
    own[0].figure.canvas.draw()


def test_the_style_of_the_course_can_be_used_by_name():
    with plt.style.context("vae_helpers.course"):
        assert plt.rcParams["image.interpolation"] == "nearest"


# plot_images, plot_reconstructions


def tile(ax, row, column, height, width):
    """One image read back from the mosaic, whose tiles are two white pixels apart."""
    top, left = row * (height + 2), column * (width + 2)
    return picture(ax)[top : top + height, left : left + width]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_stand_in_rows_of_columns(channels):
    images = np.random.default_rng(0).random((7, 3, 5, channels))
    ax = vh.plot_images(images, columns=4)
    for i, image in enumerate(images):
        np.testing.assert_allclose(tile(ax, i // 4, i % 4, 3, 5), image)
    assert (tile(ax, 1, 3, 3, 5) == 1).all()  # the last row is short
    assert picture(ax).shape == (2 * 3 + 2, 4 * 5 + 3 * 2, channels)
    assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (0, 1)


def test_a_list_gives_rows_with_titles():
    first, second = np.zeros((2, 3, 5, 1)), np.full((3, 3, 5, 1), 0.5)
    ax = vh.plot_images([first, second], row_titles=["black", "grey"], titles=["a", "b", "c"], title="both")
    assert (tile(ax, 0, 1, 3, 5) == 0).all() and (tile(ax, 1, 2, 3, 5) == 0.5).all()
    assert ticks(ax.yaxis) == [(1, "black"), (6, "grey")]  # at the middle of each row
    assert ticks(ax.xaxis) == [(2, "a"), (9, "b"), (16, "c")]
    assert ax.get_title() == "both" or ax.get_title(loc="left") == "both"


def test_tensors_are_images_too():
    np.testing.assert_allclose(tile(vh.plot_images(tf.constant(IMAGES)), 0, 1, 4, 4), IMAGES[1], atol=1e-6)


def test_reconstructions_stand_below_their_images():
    ax = vh.plot_reconstructions(Painter(), IMAGES)
    for i, image in enumerate(IMAGES):
        np.testing.assert_allclose(tile(ax, 0, i, 4, 4), image)
        np.testing.assert_allclose(tile(ax, 1, i, 4, 4), 1 - image)
    assert [text for _, text in ticks(ax.yaxis)] == ["image", "reconstruction"]


@pytest.mark.parametrize("shape", [(28, 28, 1), (5, 28, 28), (5, 784), (5, 28, 28, 2)])
@pytest.mark.parametrize("listed", [False, True])
def test_images_of_the_wrong_shape_are_refused_with_a_remedy(shape, listed):
    images = np.zeros(shape)
    with pytest.raises(ValueError, match=r"shape .*\(batch, height, width, 1 or 3\).*image\[None\]"):
        vh.plot_images([images] if listed else images)


@pytest.mark.parametrize("images", [np.zeros((0, 28, 28, 1)), [], [np.zeros((0, 28, 28, 1))]])
def test_no_images_are_refused(images):
    with pytest.raises(ValueError, match="empty"):
        vh.plot_images(images)


# plot_history


@pytest.mark.parametrize(
    "shown, names",
    [(VAE_HISTORY, {"loss": "loss", "reconstruction": "reconstruction", "KL": "kl"}), (AE_HISTORY, {"loss": "loss"})],
)
def test_a_history_has_one_panel_per_curve_with_training_and_validation(shown, names):
    axes = vh.plot_history(shown)
    titles = [ax.get_title() or ax.get_title(loc="left") for ax in axes]
    assert titles == list(names)
    for ax, name in zip(axes, names.values()):
        assert {line.get_label(): line.get_ydata().tolist() for line in ax.lines} == {
            "training": shown.history[name],
            "validation": shown.history[f"val_{name}"],
        }
        assert all(line.get_xdata().tolist() == [1, 2] for line in ax.lines)
        assert "epoch" in ax.get_xlabel()


def test_a_history_without_validation_has_one_curve_per_panel():
    axes = vh.plot_history(history(loss=[3.0], reconstruction=[2.0], kl=[1.0]))
    assert [len(ax.lines) for ax in axes] == [1, 1, 1]


def test_a_history_of_keras_will_do(make_vae, grey):
    assert len(vh.plot_history(make_vae().fit(grey, verbose=0))) == 3


def test_a_history_is_drawn_on_the_axes_given():
    _, axes = plt.subplots(1, 3)
    assert vh.plot_history(VAE_HISTORY, ax=axes).tolist() == axes.tolist()


def test_the_wrong_number_of_axes_is_named():
    _, axes = plt.subplots(1, 2)
    with pytest.raises(ValueError, match=r"2 axes.*needs 3"):
        vh.plot_history(VAE_HISTORY, ax=axes)


def test_an_empty_history_is_refused():
    with pytest.raises(ValueError, match="what fit returned"):
        vh.plot_history(history())


# plot_latent_scatter


def scattered(**kwargs):
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 7], 50)
    codes = rng.normal(size=(100, 2)) + 10 * (labels == 7)[:, None]
    return vh.plot_latent_scatter(codes, labels, [f"name {i}" for i in range(10)], **kwargs), codes


def test_a_scatter_shows_every_code():
    ax, codes = scattered()
    (dots,) = ax.collections
    assert sorted(map(tuple, np.asarray(dots.get_offsets()))) == sorted(map(tuple, codes))


def test_a_scatter_names_only_the_classes_present():
    ax, _ = scattered()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["name 1", "name 7"]
    assert {text.get_text() for text in ax.texts} <= {"name 1", "name 7"}


def test_a_scatter_gives_each_class_one_colour_and_its_name_the_same():
    ax, codes = scattered()
    (dots,) = ax.collections
    offsets, colors = np.asarray(dots.get_offsets()), dots.get_facecolors()[:, :3]
    handles = {
        text.get_text(): handle.get_color()
        for text, handle in zip(ax.get_legend().get_texts(), ax.get_legend().legend_handles)
    }
    assert handles["name 1"] != handles["name 7"]
    for name, part in (("name 1", codes[:50]), ("name 7", codes[50:])):
        members = {tuple(code) for code in part}
        found = {tuple(color) for offset, color in zip(offsets, colors) if tuple(offset) in members}
        assert found == {plt.matplotlib.colors.to_rgb(handles[name])}


def test_a_scatter_writes_each_name_inside_its_class():
    ax, codes = scattered()
    for text in ax.texts:
        part = codes[:50] if text.get_text() == "name 1" else codes[50:]
        assert (part.min(axis=0) < text.get_position()).all() and (text.get_position() < part.max(axis=0)).all()


@pytest.mark.parametrize("middles", [np.zeros((3, 2)), [[0, 0], [0.1, 0], [0, 5]], [[0, 0], [0.1, 0.1], [0.2, 0]]])
def test_a_scatter_moves_names_apart_that_would_overlap(middles):
    names = ["T-shirt/top", "pullover", "coat"]
    ax = vh.plot_latent_scatter(middles, [0, 1, 2], names, limit=6)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    if middles[2][1] == 5:  # nothing near it
        assert ax.texts[2].get_position() == pytest.approx((0, 5))


def test_a_scatter_keeps_its_limit():
    ax, _ = scattered(limit=3)
    assert ax.get_xlim() == ax.get_ylim() == (-3, 3)


def test_ten_classes_have_ten_colours():
    ax = vh.plot_latent_scatter(np.random.default_rng(0).normal(size=(10, 2)), np.arange(10), "0123456789")
    assert len({tuple(color) for color in ax.collections[0].get_facecolors()[:, :3]}) == 10


def test_a_scatter_takes_tensors():
    assert len(vh.plot_latent_scatter(tf.eye(2), tf.constant([0, 1]), "ab").collections[0].get_offsets()) == 2


@pytest.mark.parametrize(
    "latent_dim, advice", [(1, r"1 latent; .*plt\.hist"), (3, r"3 latents.*PCA\(2\)"), (10, r"10 latents.*PCA\(2\)")]
)
def test_a_scatter_of_other_than_two_latents_is_refused_with_advice(latent_dim, advice):
    with pytest.raises(ValueError, match=advice):
        vh.plot_latent_scatter(np.zeros((4, latent_dim)), np.zeros(4, int), "ab")


def test_labels_must_be_as_many_as_codes():
    with pytest.raises(ValueError, match=r"labels has shape \(3,\) for 4 images"):
        vh.plot_latent_scatter(np.zeros((4, 2)), np.zeros(3, int), "ab")


# latent_grid, plot_manifold


def test_a_linear_grid_has_even_steps():
    np.testing.assert_allclose(vh.latent_grid(5), [-4, -2, 0, 2, 4])
    np.testing.assert_allclose(vh.latent_grid(3, limit=2), [-2, 0, 2])
    np.testing.assert_allclose(vh.latent_grid(3, limit=(0, 10)), [0, 5, 10])


@pytest.mark.parametrize("n", [2, 7, 20])
def test_a_quantile_grid_has_the_quantiles_of_the_prior(n):
    np.testing.assert_allclose(vh.latent_grid(n, "quantile"), norm.ppf(np.linspace(0.05, 0.95, n)), atol=1e-9)


def test_the_quantile_grid_agrees_with_tensorflow_probability():
    reason = "TensorFlow Probability is not installed"
    distributions = pytest.importorskip("tensorflow_probability", reason=reason).distributions
    expected = distributions.Normal(0.0, 1.0).quantile(np.linspace(0.05, 0.95, 20, dtype="float32"))
    np.testing.assert_allclose(vh.latent_grid(20, "quantile"), expected, atol=1e-5)


@pytest.mark.parametrize("n", [1, 0, -2])
def test_a_grid_needs_two_tiles(n):
    with pytest.raises(ValueError, match=rf"n is {n}"):
        vh.latent_grid(n)


def test_an_unknown_spacing_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'log'.*linear.*quantile"):
        vh.latent_grid(5, "log")


GRIDS = pytest.mark.parametrize(
    "n, spacing", [(2, "linear"), (5, "linear"), (20, "linear"), (7, "quantile"), (20, "quantile")]
)


@pytest.mark.parametrize("n", [3, 20])
def test_a_manifold_decodes_all_tiles_in_one_call(n):
    model = Painter()
    vh.plot_manifold(model, n=n)
    assert [z.shape for z in model.calls] == [(n * n, 2)]


@pytest.mark.parametrize(
    "n, spacing", [(2, "linear"), (5, "linear"), (20, "linear"), (7, "quantile"), (20, "quantile")]
)
def test_a_manifold_shows_each_image_where_its_code_lies(n, spacing):
    model = Painter(side=4)
    shown = picture(vh.plot_manifold(model, n=n, spacing=spacing))
    assert shown.shape == (4 * n, 6 * n, 3)
    grid = vh.latent_grid(n, spacing)
    for row in range(n):
        for column in range(n):
            corners = shown[4 * row : 4 * row + 4, 6 * column : 6 * column + 6][[0, -1], [0, -1]]
            for pixel in corners:  # the first latent to the right, the second upward
                np.testing.assert_allclose(model.latents(pixel), (grid[column], grid[n - 1 - row]), atol=1e-9)


@GRIDS
def test_the_ticks_of_a_manifold_are_in_latent_units(n, spacing):
    model = Painter(side=4)
    ax = vh.plot_manifold(model, n=n, spacing=spacing)
    shown = picture(ax)
    for axis, latent in ((ax.xaxis, 0), (ax.yaxis, 1)):
        side = (6, 4)[latent]  # the tiles are 4 pixels high and 6 wide
        middles = side * np.arange(n) + (side - 1) / 2
        line = shown[0] if latent == 0 else shown[:, 0]
        latents = [model.latents(line[side * i])[latent] for i in range(n)]  # of the tile at each of the middles
        order = np.argsort(latents)
        read = ticks(axis)
        assert 3 <= len(read) <= 9 and "0" in [text for _, text in read]
        for position, text in read:
            assert text == f"{float(text):g}" and 2 * float(text) % 1 == 0  # a round number
            at = np.interp(float(text), np.array(latents)[order], middles[order])
            assert position == pytest.approx(at, abs=1e-6)
    below, above = ax.get_ylim()
    assert below > above  # as imshow draws it: row 0 on top


def test_a_manifold_may_have_other_limits_for_each_axis():
    model = Painter(low=-10, high=30)
    shown = picture(vh.plot_manifold(model, n=3, limit=((-10, 0), (20, 30))))
    np.testing.assert_allclose(model.latents(shown[-1, 0]), (-10, 20), atol=1e-9)
    np.testing.assert_allclose(model.latents(shown[0, -1]), (0, 30), atol=1e-9)


def test_a_manifold_of_a_real_model(make_vae, make_autoencoder):
    for model in (make_vae(), make_autoencoder()):
        ax = vh.plot_manifold(model, n=4)
        expected = model.decode([[-4.0, 4.0]])[0]
        np.testing.assert_allclose(picture(ax)[:4, :4], expected, atol=1e-6)


@pytest.mark.parametrize(
    "latent_dim, advice", [(1, r"1 latent;.*plot_images\("), (10, r"10 latents.*latent_explorer\(")]
)
def test_a_manifold_of_other_than_two_latents_is_refused_with_advice_that_works(make_vae, latent_dim, advice):
    model = make_vae(latent_dim=latent_dim)
    images = np.zeros((9, 4, 4, 1), "float32")
    with pytest.raises(ValueError, match=advice) as error:
        vh.plot_manifold(model)
    eval(str(error.value).partition(": ")[2].rstrip("."), {"vh": vh, "model": model, "images": images})


# plot_architecture


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    "build", [lambda: vh.mlp_encoder((28, 28, 1), 2), lambda: vh.conv_encoder((28, 28, 1), 2), lambda: NETWORK]
)
def test_an_architecture_names_layers_shapes_and_parameters(build):
    network = build()
    written = texts(vh.plot_architecture(network))
    assert any(f"{network.count_params():,} parameters" in text for text in written)
    for layer in network.layers:
        (box,) = [text for text in written if layer.name in text.replace(",", "").split()]
        assert str(layer.output.shape[-1]) in box
    heads = len(network.outputs)
    for layer in network.layers if heads == 1 else network.layers[:-heads]:
        (box,) = [text for text in written if text.startswith(f"{layer.name}\n")]
        assert "×".join(map(str, layer.output.shape[1:])) in box
        assert not layer.count_params() or f"{layer.count_params():,}" in box


def test_mean_and_log_var_share_a_box():
    written = texts(vh.plot_architecture(vh.mlp_encoder((28, 28, 1), 2, (8,))))
    (box,) = [text for text in written if "mean" in text]
    assert "log_var" in box and "2 + 2" in box and str(2 * (8 * 2 + 2)) in box


def test_an_architecture_of_a_model_shows_encoder_above_decoder(make_vae, make_autoencoder):
    for model in (make_vae(), make_autoencoder()):
        ax = vh.plot_architecture(model)
        heights = {}
        for network in (model.encoder, model.decoder):
            (title,) = [t for t in ax.texts if f"{network.name}: {network.count_params():,} parameters" in t.get_text()]
            heights[network.name] = title.get_position()[1]
        assert heights["encoder"] > heights["decoder"]
        boxes = sum(len(network.layers) - len(network.outputs) + 1 for network in (model.encoder, model.decoder))
        assert len(ax.patches) >= boxes


def test_clouds_are_one_standard_deviation_wide():
    mean, log_var = np.array([[1.0, -1.0]]), np.log([[0.25, 4.0]])
    prior, cloud = vh.plot_clouds(mean, log_var).patches
    assert (prior.width, prior.height, *prior.center) == (2, 2, 0, 0)  # from -1 to 1
    np.testing.assert_allclose((cloud.width, cloud.height, *cloud.center), (1, 4, 1, -1))


def test_clouds_of_other_than_two_latents_are_refused():
    with pytest.raises(ValueError, match="3 latents"):
        vh.plot_clouds(np.zeros((4, 3)), np.zeros((4, 3)))


def test_a_mosaic_puts_rows_and_columns_where_they_belong():
    images = np.arange(3).reshape(3, 1, 1, 1) / 4 * np.ones((3, 2, 2, 1))
    picture = vh.mosaic([images[:2], images[2:]])[..., 0]
    assert picture.shape == (6, 6)
    assert (picture[:2, :2] == 0).all() and (picture[:2, 4:] == 0.25).all() and (picture[4:, :2] == 0.5).all()
    assert (picture[2:4] == 1).all() and (picture[4:, 4:] == 1).all()  # gaps, and the end of the short row


# plot_machine


def test_the_machine_shows_the_numbers_of_the_model(make_vae, grey):
    vae, x = make_vae(grey.shape[1:]), grey[:1]
    ax = vh.plot_machine(vae, x, seed=3)
    mean, log_var = map(np.array, vae.encode(x))
    sigma = np.exp(log_var / 2)
    z = mean + sigma * np.random.default_rng(3).normal(size=(1, 2))
    nll, kl = float(vh.bernoulli_nll(x, vae.decoder(z))[0]), float(vh.gaussian_kl(mean, log_var)[0])
    written = " ".join(texts(ax)).replace("−", "-")
    assert all(f"{number:.2f}" in written for number in (*mean[0], *sigma[0]))
    assert f"loss = {nll:.1f} + {kl:.1f} = {nll + kl:.1f} nats" in written
    image, means = (np.asarray(drawn.get_array()).squeeze() for drawn in ax.images)
    np.testing.assert_allclose(image, x[0, ..., 0])
    np.testing.assert_allclose(means, vae.decode(z)[0, ..., 0], atol=1e-6)


def test_the_machine_has_room_for_one_image_and_two_latents(make_vae, grey):
    with pytest.raises(ValueError, match=r"holds 2 images.*x\[:1\]"):
        vh.plot_machine(make_vae(grey.shape[1:]), grey[:2])
    with pytest.raises(ValueError, match="3 latents"):
        vh.plot_machine(make_vae(grey.shape[1:], latent_dim=3), grey[:1])
