"""Still figures. Each function takes an optional `ax` and returns the axes it drew on."""

from itertools import combinations
from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from matplotlib import patheffects
from matplotlib.colors import hsv_to_rgb, to_hex
from matplotlib.patches import Ellipse, FancyBboxPatch, Polygon, Rectangle
from matplotlib.ticker import MaxNLocator

from vae_helpers.inputs import check_labels, check_pictures
from vae_helpers.losses import gaussian_kl

# Ten colours that differ in hue and in brightness (Okabe and Ito's eight, two added); classes are named in the
# figure as well, so that no reader depends on colour alone.
CLASS_COLORS = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9",
    "#CC79A7", "#000000", "#B8A800", "#7B3FA0", "#999999",
)  # fmt: skip
_GAP = 2  # white pixels between tiles


def _array(values):
    return ops.convert_to_numpy(values)


def class_colors(n):
    """A colour for each of n classes: CLASS_COLORS for up to ten, so many hues in two brightnesses for more."""
    if n <= len(CLASS_COLORS):
        return CLASS_COLORS[:n]
    return tuple(to_hex(hsv_to_rgb((i / n, 0.9, 0.85 if i % 2 else 0.55))) for i in range(n))


def mosaic(rows, gap=_GAP):
    """Rows of images (n, height, width, channels) → one picture (height, width, channels) with white gaps.

    gap: white pixels between two images. Short rows are filled with white. For a GIF, or for a drawing of your own.
    Raises ValueError for numbers outside [0, 1]; uint8 is divided by 255.
    """
    rows = [check_pictures(row, f"rows[{i}]") for i, row in enumerate(rows)]
    height, width, channels = rows[0].shape[1:]
    columns = max(len(row) for row in rows)
    picture = np.ones((len(rows) * (height + gap) - gap, columns * (width + gap) - gap, channels))
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            top, left = i * (height + gap), j * (width + gap)
            picture[top : top + height, left : left + width] = image
    return picture


def plot_images(images, row_titles=None, titles=None, title=None, columns=10, ax=None):
    """Images side by side, drawn as one picture.

    images: (n, height, width, channels) in [0, 1] or uint8, broken into rows of `columns`; or a list of such arrays,
        one a row.
    row_titles: a text left of each row. titles: a text above each column. title: one above the figure.
    Raises ValueError for other shapes, and for numbers outside [0, 1], such as logits.
    """
    if isinstance(images, (list, tuple)):
        rows = [check_pictures(row, f"images[{i}]") for i, row in enumerate(images)]
    else:
        images = check_pictures(images)
        rows = [images[i : i + columns] for i in range(0, len(images), columns)]
    if not rows or any(len(row) == 0 for row in rows):
        raise ValueError("images is empty, or one of its rows is: there is nothing to draw.")
    if len({row.shape[1:] for row in rows}) > 1:
        raise ValueError(f"the rows hold images of different shapes: {[row.shape[1:] for row in rows]}.")
    picture = mosaic(rows)
    if ax is None:
        width = 9.0 if picture.shape[1] > 5 * picture.shape[0] else 7.5
        width = min(width, 0.95 * max(len(row) for row in rows) + (1.8 if row_titles else 0))
        _, ax = plt.subplots(figsize=(width, width * picture.shape[0] / picture.shape[1] + (0.5 if title else 0.3)))
    ax.imshow(picture, vmin=0, vmax=1, cmap="gray")
    height, width = rows[0].shape[1:3]
    _ticks(ax.set_yticks, row_titles, height)
    _ticks(ax.set_xticks, titles, width)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    if title:
        ax.set_title(title)
    return ax


def _ticks(set_ticks, labels, size):
    labels = [] if labels is None else list(labels)
    set_ticks([i * (size + _GAP) + (size - 1) / 2 for i in range(len(labels))], labels)


def plot_reconstructions(model, x, ax=None):
    """Images above, what the model makes of them below. x: (n, height, width, channels), about ten of them."""
    return plot_images([check_pictures(x, "x"), model.reconstruct(x)], ["image", "reconstruction"], ax=ax)


def plot_history(history, ax=None):
    """One panel each for loss, reconstruction and KL, as far as the history holds them; train and validation.

    history: what `fit` returns, or its `history`. ax: as many axes as there are panels, or None.
    Returns the array of axes.
    """
    values = getattr(history, "history", history)
    panels = [name for name in ("loss", "reconstruction", "kl") if name in values]
    if not panels:
        raise ValueError("history holds no loss: pass what fit returned, after at least one epoch.")
    if "kl" not in panels and np.allclose(values["loss"], values.get("reconstruction", np.nan)):
        panels = ["loss"]  # an autoencoder: both are the same number
    if ax is None:
        _, ax = plt.subplots(1, len(panels), figsize=(3.4 * len(panels) + 0.6, 3.2))
    axes = np.atleast_1d(ax)
    if len(axes) != len(panels):
        raise ValueError(f"ax holds {len(axes)} axes; this history needs {len(panels)}, one each for {panels}.")
    epochs = np.arange(1, len(values["loss"]) + 1)
    for axis, name in zip(axes, panels):
        axis.plot(epochs, values[name], "o-", markersize=4, label="training")
        if f"val_{name}" in values:
            axis.plot(epochs, values[f"val_{name}"], "s--", markersize=4, label="validation")
        axis.set(title={"kl": "KL"}.get(name, name), xlabel="epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
    if "kl" in panels:
        axes[0].set_ylabel("nats per image")
    axes[0].legend()
    return axes


def _check_two_latents(latent_dim, what, remedies):
    """remedies: what to write for one latent, and for more than two."""
    if latent_dim != 2:
        one, more = remedies
        raise ValueError(
            f"{what} has {latent_dim} latent{'s' * (latent_dim > 1)}; this figure has room for 2. "
            f"{one if latent_dim < 2 else more}"
        )


_OF_CODES = (
    "Draw it as a histogram: plt.hist(codes[labels == 0, 0]).",
    "Draw the first two principal components instead: sklearn.decomposition.PCA(2).fit_transform(codes).",
)
_OF_A_MODEL = (
    "Draw a row of images: vh.plot_images(model.decode(vh.latent_grid(10)[:, None])).",
    'Draw a plane through the codes: vh.latent_explorer(model, images, plane="pca").',
)


def _codes(values, name, remedies):
    values = _array(values)
    if values.ndim != 2:
        raise ValueError(f"{name} has shape {values.shape}; give (n, 2), for a VAE mean, log_var = vae.encode(x).")
    _check_two_latents(values.shape[-1], name, remedies)
    return values


def plot_latent_scatter(codes, labels, class_names=None, limit=None, ax=None):
    """One dot per image at its code, coloured by class, each class named at the median of its dots.

    Names that would overlap are moved apart.

    codes: (n, 2), for a VAE the mean. labels: (n,), indices into class_names, or one-hot, or the names.
    class_names: a text for each class; None to name them by their labels.
    limit: draw both axes over [-limit, limit]; by default as far as the codes go.
    Raises ValueError for codes with other than 2 latents, and for labels that do not fit.
    """
    codes = _codes(codes, "codes", _OF_CODES)
    names, labels = check_labels(labels, len(codes), class_names)
    if ax is None:
        _, ax = plt.subplots(figsize=(7.5, 5.6))
    order = np.random.default_rng(0).permutation(len(codes))  # so that no class lies on top of the others
    palette = class_colors(len(names))
    colors = np.array(palette)[labels]
    ax.scatter(*codes[order].T, s=5, alpha=0.5, c=colors[order], linewidths=0, rasterized=True)
    texts = []
    for label in np.unique(labels):
        name = names[label]
        ax.plot([], [], "o", color=palette[label], label=name)
        middle = np.median(codes[labels == label], axis=0)
        texts.append(ax.text(*middle, name, weight="bold", size=12, ha="center", va="center"))
        texts[-1].set_path_effects([patheffects.withStroke(linewidth=3, foreground="white")])
    if limit is not None:
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit))
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.1)
    _move_apart(texts, ax)
    return ax


def _move_apart(texts, ax, rounds=100):
    """Push texts that overlap apart, each as far as the other, in the direction in which the way is shorter."""
    ax.figure.draw_without_rendering()  # the layout gives the axes their size, and with it the texts theirs
    boxes = [text.get_window_extent() for text in texts]
    sizes = np.array([box.size for box in boxes]) + 6  # pixels: the white strokes, and a gap, or 9 beside 4 reads as 94
    start = np.array([(box.p0 + box.p1) / 2 for box in boxes])
    centers = start.copy()
    for _ in range(rounds):
        for i, j in combinations(range(len(texts)), 2):
            away = centers[j] - centers[i]
            overlap = (sizes[i] + sizes[j]) / 2 - np.abs(away)
            if (overlap > 0).all():
                direction = np.argmin(overlap)
                step = np.copysign(overlap[direction] / 2, away[direction])
                centers[i, direction] -= step
                centers[j, direction] += step
    for text, moved in zip(texts, centers - start):
        at = ax.transData.transform(text.get_position()) + moved
        text.set_position(ax.transData.inverted().transform(at))


def plot_clouds(mean, log_var, labels=None, limit=3.5, ax=None, class_names=None):
    """The cloud q(z|x) of each image as an ellipse of one standard deviation, over the same ellipse of the prior.

    mean, log_var: (n, 2), some forty of them. labels: the n classes for the colours: whole numbers, one-hot, or names
        of class_names. limit: both axes over [-limit, limit].
    Raises ValueError for other than 2 latents, and for labels that do not fit.
    """
    mean, log_var = _codes(mean, "mean", _OF_CODES), _codes(log_var, "log_var", _OF_CODES)
    if len(mean) != len(log_var):
        raise ValueError(f"mean holds {len(mean)} clouds and log_var {len(log_var)}; give both of one encode.")
    width, colors = 2 * np.exp(0.5 * log_var), [CLASS_COLORS[0]] * len(mean)
    if labels is not None:
        if class_names is None and np.asarray(labels).dtype.kind in "iu" and len(mean):
            class_names = range(max(int(np.max(labels)) + 1, len(CLASS_COLORS)))  # a class keeps its colour
        names, labels = check_labels(labels, len(mean), class_names)
        colors = [class_colors(len(names))[label] for label in labels]
    if ax is None:
        _, ax = plt.subplots(figsize=(5.2, 5.2))
    ax.add_patch(Ellipse((0, 0), 2, 2, fill=False, linestyle="--", linewidth=2, label="prior"))
    for color, center, (horizontal, vertical) in zip(colors, mean, width):
        ax.add_patch(Ellipse(center, horizontal, vertical, facecolor=color, edgecolor=color, alpha=0.35))
        ax.plot(*center, ".", color=color, markersize=5)
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
    ax.legend(loc="upper right")
    return ax


def latent_grid(n, spacing="linear", limit=4.0):
    """The positions of n tiles along one latent axis.

    spacing: "linear" for even steps over [-limit, limit]; "quantile" for the quantiles 0.05 … 0.95 of N(0, 1), which
        puts more tiles where the prior has more mass (limit is not used).
    limit: a number, or a pair (low, high). Returns (n,), rising.
    """
    if n < 2:
        raise ValueError(f"n is {n}; a grid needs at least 2 tiles per side.")
    if spacing == "quantile":
        return np.array([NormalDist().inv_cdf(p) for p in np.linspace(0.05, 0.95, n)])
    if spacing != "linear":
        raise ValueError(f"spacing is {spacing!r}; it must be 'linear' or 'quantile'.")
    low, high = (-limit, limit) if np.ndim(limit) == 0 else limit
    return np.linspace(low, high, n)


def plot_manifold(model, n=20, spacing="linear", limit=4.0, ax=None):
    """Decode an n × n grid of the latent plane in one call, and draw each image where its code lies.

    model: a VAE or Autoencoder with 2 latents. spacing, limit: as for `latent_grid`; for an autoencoder limit may be
        a pair of pairs, ((low, high), (low, high)), one for each axis.
    The first latent runs to the right, the second upward; the ticks are in latent units.
    Raises ValueError for a model with other than 2 latents.
    """
    _check_two_latents(model.latent_dim, "the model", _OF_A_MODEL)
    limits = (limit, limit) if np.ndim(limit) < 2 else limit
    first, second = (latent_grid(n, spacing, one) for one in limits)
    z = np.stack(np.meshgrid(first, second[::-1]), axis=-1)  # row 0 is the top: the largest second latent
    images = check_pictures(model.decode(z.reshape(-1, 2)), "what the model decodes")
    height, width, channels = images.shape[1:]
    picture = images.reshape(n, n, height, width, channels).transpose(0, 2, 1, 3, 4)
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 6.4))
    ax.imshow(picture.reshape(n * height, n * width, channels), vmin=0, vmax=1, cmap="gray")
    values, places = _round_ticks(first)
    ax.set_xticks(places * width + (width - 1) / 2, values)
    values, places = _round_ticks(second)
    ax.set_yticks((n - 1 - places) * height + (height - 1) / 2, values)
    ax.set(xlabel="$z_1$", ylabel="$z_2$")
    ax.grid(False)
    return ax


def _round_ticks(axis):
    """Round numbers along an axis, as texts, and where they lie among its tiles: 1.5 is halfway from tile 1 to 2."""
    values = MaxNLocator(7, steps=[1, 2, 5, 10]).tick_values(axis[0], axis[-1])
    values = values[(values >= axis[0] - 1e-9) & (values <= axis[-1] + 1e-9)]
    return [f"{value + 0.0:g}" for value in values], np.interp(values, axis, np.arange(len(axis)))  # + 0.0: no "-0"


def plot_architecture(model, ax=None):
    """Boxes in the order of the data, each with layer, output shape and parameters.

    model: an encoder, a decoder, a VAE or an Autoencoder (encoder above, decoder below).
    """
    parts = [model.encoder, model.decoder] if hasattr(model, "encoder") else [model]
    columns = [_boxes(part) for part in parts]
    longest = max(len(boxes) for boxes in columns)
    if ax is None:
        _, ax = plt.subplots(figsize=(max(1.45 * longest, 4.0), 1.75 * len(parts)))
    for row, (part, boxes) in enumerate(zip(parts, columns)):
        y = -1.5 * row
        ax.text(-0.55, y + 0.62, f"{part.name}: {part.count_params():,} parameters", weight="bold", fontsize=11)
        ax.text(longest - 0.5, y + 0.62, "layer / output shape / parameters", ha="right", fontsize=9)
        for i, (color, text) in enumerate(boxes):
            if i:
                ax.annotate("", (i - 0.44, y), (i - 0.56, y), arrowprops={"arrowstyle": "-|>", "color": "black"})
            box = FancyBboxPatch((i - 0.41, y - 0.4), 0.82, 0.8, boxstyle="round,pad=0.02", fc=color, ec="#555555")
            ax.add_patch(box)
            ax.text(i, y, text, ha="center", va="center", fontsize=9)
    ax.set(xlim=(-0.6, longest - 0.4), ylim=(-1.5 * len(parts) + 0.95, 0.95))
    ax.set_axis_off()
    return ax


_BOX_COLORS = {"InputLayer": "#ffffff", "Dense": "#cfe3f1", "Conv2D": "#f8dcc6", "Conv2DTranspose": "#cdebdd"}


def _boxes(network):
    """(colour, text) of each layer; layers that read the same input, such as mean and log_var, share a box."""
    boxes, heads = [], len(network.outputs)
    body = network.layers if heads == 1 else network.layers[:-heads]
    for layer in body:
        boxes.append((_BOX_COLORS.get(type(layer).__name__, "#eeeeee"), _box_text(layer, layer.name)))
    if heads > 1:
        last = network.layers[-heads:]
        names = ",\n".join(layer.name for layer in last)
        parameters = sum(layer.count_params() for layer in last)
        shape = " + ".join(str(layer.output.shape[-1]) for layer in last)
        boxes.append(("#fbe9a9", f"{names}\n{shape}\n{parameters:,}"))
    return boxes


def _box_text(layer, name):
    shape = "×".join(str(side) for side in layer.output.shape[1:])
    parameters = f"{layer.count_params():,}" if layer.count_params() else "–"
    return f"{name}\n{shape}\n{parameters}"


def plot_machine(vae, x, seed=0, ax=None):
    """One image on its way through a VAE with 2 latents: encoder, cloud, draw, decoder, and the two terms of the loss.

    x: (1, height, width, channels), one image. seed: an integer for the noise of the one draw.
    Raises ValueError for more than one image, or other than 2 latents.
    """
    _check_two_latents(vae.latent_dim, "the model", _OF_A_MODEL)
    x = check_pictures(x, "x")
    if len(x) != 1:
        raise ValueError(f"x holds {len(x)} images; this figure has room for one: x[:1].")
    mean, log_var = map(_array, vae.encode(x))
    sigma = np.exp(0.5 * log_var)
    z = mean + sigma * np.random.default_rng(seed).normal(size=mean.shape)
    nll, kl = float(vae.nll(x, vae.decoder(z))[0]), float(gaussian_kl(mean, log_var)[0])
    if ax is None:
        _, ax = plt.subplots(figsize=(9.2, 4.4))
    for left, name, pixels in ((0.0, "image x", x), (11.2, "pixel means", vae.decode(z))):
        ax.imshow(mosaic([pixels]), extent=(left, left + 2, 2, 4), vmin=0, vmax=1, cmap="gray", zorder=2)
        ax.text(left + 1, 4.15, name, ha="center")
    for corners, name in (((2.3, 1.0, 3.7, 0.5), "encoder"), ((9.5, 0.5, 10.9, 1.0), "decoder")):
        left, high, right, low = corners
        outline = [(left, 3 - high), (left, 3 + high), (right, 3 + low), (right, 3 - low)]
        ax.add_patch(Polygon(outline, fc=_BOX_COLORS["Dense"], ec="#555555"))
        ax.text((left + right) / 2, 3, name, ha="center", va="center")
    lines = [f"${name}$ = ({_signed(v[0, 0])}, {_signed(v[0, 1])})" for name, v in (("\\mu", mean), ("\\sigma", sigma))]
    yellow = {"boxstyle": "round", "fc": "#fbe9a9", "ec": "#555555"}
    ax.text(5.1, 3, "\n".join(lines), ha="center", va="center", bbox=yellow)
    _draw_cloud(ax, (7.9, 3), 1.15, mean[0], sigma[0], z[0])
    ax.text(7.9, 4.3, "draw $z = \\mu + \\sigma\\varepsilon$", ha="center")
    ax.text(7.9, 5.0, "noise $\\varepsilon$ from $N(0, I)$", ha="center", color="#555555")
    for start, end in ((2.02, 2.3), (3.7, 3.95), (6.3, 6.7), (9.12, 9.48), (10.9, 11.18)):
        ax.annotate("", (end, 3), (start, 3), arrowprops={"arrowstyle": "-|>", "color": "black"})
    ax.annotate("", (7.9, 4.65), (7.9, 4.98), arrowprops={"arrowstyle": "-|>", "color": "#555555"})
    _draw_term(ax, (7.9, 7.9), 1.75, 1.1, f"KL: is the cloud far from the prior?  {kl:.1f} nats", "#0072B2")
    surprised = f"reconstruction: how surprising is x to the decoder?  {nll:.1f} nats"
    _draw_term(ax, (1.0, 12.2), 1.95, 0.2, surprised, "#D55E00")
    ax.text(6.6, -0.75, f"loss = {nll:.1f} + {kl:.1f} = {nll + kl:.1f} nats", ha="center", weight="bold")
    ax.set(xlim=(-0.1, 13.3), ylim=(-1.1, 5.4), aspect="equal")
    ax.set_axis_off()
    return ax


def _signed(number):
    """With the sign that formulas have, not a hyphen."""
    return f"{number:.2f}".replace("-", "−")


def _draw_cloud(ax, center, half, mean, sigma, z):
    """The latent plane over [-4, 4]² as a small square: the prior, one cloud, and the draw z from it."""
    scale = half / 4
    ax.add_patch(Rectangle(np.subtract(center, half), 2 * half, 2 * half, fc="white", ec="#555555"))
    ax.add_patch(Ellipse(center, 2 * scale, 2 * scale, fill=False, linestyle="--", linewidth=1.5))
    ax.text(center[0], center[1] - 0.85 * half, "dashed: prior", ha="center", va="center", fontsize=9)
    place = np.clip(mean, -3.9, 3.9) * scale + center
    ax.add_patch(Ellipse(place, *(2 * scale * sigma), color="#E69F00", alpha=0.6))
    ax.plot(*(np.clip(z, -3.9, 3.9) * scale + center), "k.", markersize=5)


def _draw_term(ax, ends, top, bottom, text, color):
    """A term of the loss, with a line up to each thing that it compares."""
    for end in set(ends):
        ax.plot([end, end], [top, bottom + 0.1], color=color)
    ax.plot(ends, [bottom + 0.1] * 2, color=color)
    ax.text(6.6, bottom, text, ha="center", va="center", color=color, bbox={"fc": "white", "ec": color})
