"""The latent explorer: one page in which to walk through the latent plane, with no Python behind it."""

import base64
import html
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from keras import ops

from vae_helpers import explorer_networks, inputs
from vae_helpers.animation import check_writable, write_whole
from vae_helpers.losses import bernoulli_nll
from vae_helpers.models import VAE, Autoencoder
from vae_helpers.plots import CLASS_COLORS, class_colors

_HERE = Path(__file__).parent
_SCRIPTS = ("explorer_network.js", "explorer_drawing.js", "explorer_cloud.js", "explorer.js")
_FRAME_HEIGHT = 680  # CSS pixels of the page inside a notebook
_MEASURED = 2000  # images and random codes, at most, on which the networks of the page are compared with the model
_MEASURED_VALUES = 4_000_000  # and pixel values of these images
_STRIP_VALUES = 80_000  # pixel values of the images to choose from, at most 40 images
_BATCH = 1000  # images per call of the networks, so that a deep decoder does not fill the memory
_ATLAS_VALUES = 1_360_000  # pixel values in the atlas: about half a megabyte in the page
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class LatentExplorer:
    """What `latent_explorer` returns. As the last line of a cell it shows itself; `save` writes it to a file.

    page: the HTML text, complete in itself.
    tiles: decoded images along each side of the plane; 0 where the page holds the networks.
    limit: the plane covers [-limit, limit] on both axes.
    dots: how many images are drawn as dots.
    worst_error: the largest mean absolute pixel difference from the decoder, as a fraction of the pixel range [0, 1].
        With networks it is measured on up to 2000 images and on as many random codes; with tiles, halfway between
        neighbours: at the middles of the edges and at the centres of the cells.
    """

    page: str = field(repr=False)
    tiles: int
    limit: float
    dots: int
    worst_error: float

    def _repr_html_(self):
        return (
            f'<iframe srcdoc="{html.escape(self.page)}" sandbox="allow-scripts" title="Latent explorer" '
            f'width="100%" height="{_FRAME_HEIGHT}" style="border: 0"></iframe>'
        )

    def save(self, path):
        """Write the page to an .html file, which any browser opens without a network. Returns the path.

        Raises ValueError for a path that cannot be written.
        """
        check_writable(path, ".html")
        path = Path(path)
        write_whole(path, lambda draft: draft.write_text(self.page, encoding="utf-8", newline="\n"))
        return path


def latent_explorer(
    vae,
    images=None,
    labels=None,
    class_names=None,
    plane=(0, 1),
    limit=None,
    tiles=None,
    dots=2000,
    title="Latent explorer",
):
    """The whole model in one page: draw a digit, see its cloud, and what the decoder makes of each place.

    vae: a `VAE` or an `Autoencoder` with 2 or more latents, for images (height, width, 1 or 3).
    images: (n, height, width, channels) in [0, 1], best those of the test set: dots at the means of their codes, images
        to choose from, and the medians with which a drawing is compared. None for none of these.
    labels: (n,), the class of each image: indices into class_names; without class_names, anything that str can name.
    class_names: a text for each class.
    plane: the two latents to show, counted from 0; all others stay at 0, or where the drawing has them. Or "pca": the
        plane through the mean of the codes of the images, along their first two principal directions.
    limit: the plane covers [-limit, limit] on both axes, in latent units. By default 3, or as far as 99 % of the dots.
    tiles: for a page without the networks: decoded images along each side. Such a page has no pad to draw on, and mixes
        the four nearest images (bilinear); it is the smaller one for large networks.
    dots: at most so many images are used, the same random ones each time.
    title: the heading of the page.

    Encoder and decoder run in the page. Their weights are rounded as coarsely as nobody can see; the page says how far
    that takes it from the model. A network with a layer that the page lacks gives a page of tiles, which says so: as
    many as fit in about half a megabyte, 41 for 28×28×1 pixels, 21 for 32×32×3, never fewer than 9.
    Drawings are thresholded where all images have pixels 0 and 1 only.

    Returns a `LatentExplorer`. Raises ValueError, before any decoding, for arguments that do not fit together; and for
    a model whose codes or images are not finite.
    """
    _check_model(vae)
    if images is not None:
        vae._check_images(images, "images")
        images = ops.convert_to_numpy(images)
    _check_plane(plane, vae.latent_dim, images)
    _check_numbers(limit, tiles, dots)
    names, labels = _check_labels(labels, class_names, images)

    chosen = np.random.default_rng(0).permutation(0 if images is None else len(images))[: int(dots)]
    images = None if images is None else images[chosen]
    codes = _encode(vae, images)
    labels = None if labels is None else labels[chosen]
    plane = _Plane.through(plane, codes)
    points = plane.project(codes)
    limit = float(limit or _reach(points))
    data = {
        "title": str(title),
        "limit": limit,
        "shape": vae.image_shape,
        "axes": plane.axes,
        "latents": vae.latent_dim,
        "priorCenter": plane.project(np.zeros((1, vae.latent_dim)))[0].round(4).tolist(),
        "dots": points.round(3).T.tolist(),
        "labels": [] if labels is None else labels.tolist(),
        "names": names,
        "colors": class_colors(max(len(names), len(CLASS_COLORS))),
        "ends": _walk_ends(points, labels, limit),
    }
    held, worst_error = _networks_or_atlas(vae, images, labels, plane, limit, tiles)
    page = _template().replace("{{data}}", _json_for_html(data | held))
    return LatentExplorer(page, held.get("tiles", 0), limit, len(points), worst_error)


def _networks_or_atlas(vae, images, labels, plane, limit, tiles):
    """What the page decodes with, as a dict for it, and `worst_error`."""
    why = "tiles were asked for"
    if tiles is None:
        try:
            return _networks(vae, images, labels, plane)
        except explorer_networks.CannotRunError as error:
            why = str(error)
    atlas, worst_error = _atlas(vae, plane, limit, int(tiles or _tiles_that_fit(vae.image_shape)))
    held = {"tiles": len(atlas), "atlas": _png(atlas), "atlasSum": int(atlas.sum())}
    return held | {"worstError": round(worst_error, 5), "why": why}, worst_error


def _networks(vae, images, labels, plane):
    """Encoder and decoder as the page runs them, and what it says of the images. Raises `CannotRunError`."""
    encoder, decoder = explorer_networks.read(vae.encoder), explorer_networks.read(vae.decoder)
    mean, loss = explorer_networks.pixel_mean(vae), _loss_name(vae)
    count = min(_MEASURED, _MEASURED_VALUES // math.prod(vae.image_shape))
    if images is None:  # then the model's own stand in for them
        codes = np.random.default_rng(0).normal(size=(count, vae.latent_dim)).astype("float32")
        looked_at = np.clip(_in_batches(vae.decode, codes, "decode"), 0, 1)
    else:
        looked_at = images[:count].astype("float32")
    judge = explorer_networks.Judge(vae, looked_at, mean, loss == "bernoulli")
    explorer_networks.round_weights(encoder, judge.images, judge.encoder_error)
    explorer_networks.round_weights(decoder, judge.codes, judge.decoder_error, judge.slopes)
    rounding = judge.measure(encoder.twin, decoder.twin)
    networks = {
        "encoder": encoder.for_page(),
        "decoder": decoder.for_page(),
        "weights": explorer_networks.pack([encoder, decoder]),
        "mean": mean,
        "reconstruction": loss,
        "variational": isinstance(vae, VAE),
    }
    held = {
        "networks": networks,
        "rounding": rounding,
        "beta": getattr(vae, "beta", None),
        "origin": plane.origin.tolist(),
        "directions": plane.directions.tolist(),
        "byKl": judge.latents_by_kl(),
        "median": None if images is None else judge.medians(),
        "binary": images is not None and bool(np.isin(images, (0, 1)).all()),
        **_strip(images, labels),
    }
    return held, rounding["meanPixel"]


def _loss_name(vae):
    """How the page computes the reconstruction; None for a likelihood that it does not know."""
    if isinstance(vae, Autoencoder):
        return vae.reconstruction
    return "bernoulli" if vae.nll is bernoulli_nll else None


def _strip(images, labels):
    """Some of the images, to choose from in the page, in the order of their labels; equally many of each class."""
    if images is None:
        return {"strip": "", "stripLabels": []}
    count = min(max(_STRIP_VALUES // math.prod(images.shape[1:]), 1), 40)
    if labels is None:
        first = np.arange(len(images))[:count]
    else:
        classes = np.unique(labels)
        each = [np.flatnonzero(labels == label)[: max(count // len(classes), 1)] for label in classes]
        first = np.concatenate(each)[:count]
    pixels = np.rint(255 * images[first].astype("float64")).astype("uint8")
    return {
        "strip": base64.b64encode(pixels.tobytes()).decode(),
        "stripLabels": [] if labels is None else labels[first].tolist(),
    }


def _template():
    """The page without its data."""
    page, *scripts = ((_HERE / name).read_text(encoding="utf-8") for name in ("explorer.html", *_SCRIPTS))
    return page.replace("{{script}}", '"use strict";\n\n' + "\n".join(scripts))


def _check_model(vae):
    if not isinstance(vae, (VAE, Autoencoder)):
        raise ValueError(f"vae is a {type(vae).__name__}; give a VAE, such as vh.VAE(encoder, decoder).")
    if vae.latent_dim < 2:
        raise ValueError(f"vae has {vae.latent_dim} latent; a plane needs 2 or more: build it with latent_dim=2.")
    if len(vae.image_shape) != 3 or vae.image_shape[-1] not in (1, 3):
        raise ValueError(f"vae draws images of shape {vae.image_shape}; the page shows (height, width, 1 or 3).")


def _check_plane(plane, latent_dim, images):
    if isinstance(plane, str) and plane == "pca":
        if images is None or len(images) < 2:
            raise ValueError('plane is "pca", which looks at the codes of images: give 2 images or more.')
    elif not (np.shape(plane) == (2,) and set(plane) <= set(range(latent_dim)) and plane[0] != plane[1]):
        raise ValueError(
            f'plane is {plane!r}; it must be "pca" or two different latents from 0 to {latent_dim - 1}, such as (0, 1).'
        )


def _check_numbers(limit, tiles, dots):
    if limit is not None and not (limit > 0 and math.isfinite(limit)):
        raise ValueError(f"limit is {limit}; it must be a finite number above 0, such as 3.")
    if tiles is not None and not (tiles >= 2 and tiles % 1 == 0):
        raise ValueError(f"tiles is {tiles}; it must be a whole number, 2 or more, such as 21.")
    if not (dots >= 1 and dots % 1 == 0):
        raise ValueError(f"dots is {dots}; it must be a whole number, 1 or more. For no dots leave out images.")


def _check_labels(labels, class_names, images):
    """(names, labels as indices into names), or ([], None) without labels."""
    if images is not None and len(images) == 0:
        raise ValueError("images is empty: give at least one, or None for a plane without dots.")
    if labels is None:
        if class_names is not None:
            raise ValueError("class_names came without labels: give the labels of the images too.")
        return [], None
    if images is None:
        raise ValueError("labels came without images: give the images too, or neither.")
    return inputs.check_labels(labels, len(images), class_names)


def _in_batches(function, x, what):
    values = [ops.convert_to_numpy(function(x[i : i + _BATCH])) for i in range(0, len(x), _BATCH)]
    if not all(np.isfinite(batch).all() for batch in values):
        raise ValueError(f"vae.{what} gives numbers that are not finite: its training has failed; train it again.")
    return np.concatenate(values)


def _encode(vae, images):
    """The codes, or the means of the codes, (n, latent_dim)."""
    if images is None:
        return np.zeros((0, vae.latent_dim))
    if isinstance(vae, Autoencoder):
        return _in_batches(vae.encode, images, "encode")
    return _in_batches(lambda x: vae.encode(x)[0], images, "encode")


@dataclass(frozen=True)
class _Plane:
    """The codes origin + point @ directions, for points (n, 2). origin: (latent_dim,). directions: (2, latent_dim)."""

    axes: list  # for each axis its name, as it is written and as it is spoken
    origin: np.ndarray
    directions: np.ndarray

    @classmethod
    def through(cls, plane, codes):
        if isinstance(plane, str):
            from sklearn.decomposition import PCA  # here, because it takes as long to import as all the rest

            with np.errstate(invalid="ignore"):  # codes that are all equal have no variance to divide by
                directions = PCA(2, svd_solver="full").fit(codes).components_
            return cls([(f"PC {i}", f"PC {i}") for i in (1, 2)], codes.mean(axis=0), directions)
        axes = [(f"z{str(i + 1).translate(_SUBSCRIPTS)}", f"z{i + 1}") for i in plane]
        return cls(axes, np.zeros(codes.shape[1]), np.eye(codes.shape[1])[list(plane)])

    def project(self, codes):
        return (codes - self.origin) @ self.directions.T

    def decode(self, vae, first, second):
        """Images (len(second), len(first), height, width, channels) of the grid of two rising axes."""
        points = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
        images = _in_batches(vae.decode, self.origin + points @ self.directions, "decode")
        return images.reshape(len(second), len(first), *images.shape[1:])


def _reach(points):
    """3, or as far as 99 % of the points, rounded up to tenths."""
    farthest = np.quantile(np.abs(points).max(axis=1), 0.99) if len(points) else 0
    return max(3.0, math.ceil(10 * farthest) / 10)


def _tiles_that_fit(image_shape):
    """An odd number, so that one tile lies at 0."""
    side = int(math.sqrt(_ATLAS_VALUES / math.prod(image_shape)))
    return min(max(side - 1 + side % 2, 9), 41)


def _atlas(vae, plane, limit, tiles):
    """The tiles (tiles, tiles, height, width, channels), whole numbers from 0 to 255, and `worst_error`."""
    axis = np.linspace(-limit, limit, tiles)
    middles = (axis[1:] + axis[:-1]) / 2
    atlas = np.rint(255 * plane.decode(vae, axis, axis))
    across = (atlas[:, 1:] + atlas[:, :-1]) / 2
    along = (atlas[1:] + atlas[:-1]) / 2
    centers = (across[1:] + across[:-1]) / 2
    errors = [
        np.abs(np.rint(mixed) / 255 - plane.decode(vae, first, second)).mean(axis=(2, 3, 4)).max()
        for mixed, first, second in [(across, middles, axis), (along, axis, middles), (centers, middles, middles)]
    ]
    return atlas, float(max(errors))


def _png(atlas):
    """The atlas as a data URI. Each pixel's values over the whole plane stand together.

    Neighbouring tiles are alike, so these small maps are smooth, and the file a third smaller than tile by tile.
    """
    n, _, height, width, channels = atlas.shape
    picture = atlas.transpose(2, 0, 3, 1, 4).reshape(height * n, width * n, channels).astype("uint8")
    picture = picture[..., 0] if channels == 1 else picture
    png = iio.imwrite("<bytes>", picture, extension=".png", plugin="pillow", optimize=True)
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _walk_ends(points, labels, limit):
    """Where the walk starts and ends at first: at the medians of the two classes that lie farthest apart."""
    if labels is not None:
        middles = np.array([np.median(points[labels == label], axis=0) for label in np.unique(labels)])
        distances = np.linalg.norm(middles[:, None] - middles, axis=-1)
        if distances.max() > 0:
            ends = middles[list(np.unravel_index(distances.argmax(), distances.shape))]
            return np.clip(ends, -limit, limit).round(2).tolist()
    return [[-limit / 2, 0], [limit / 2, 0]]


def _json_for_html(data):
    """JSON in which nothing can end the <script> that holds it; non-ASCII, U+2028 and U+2029 included, as \\u…."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
