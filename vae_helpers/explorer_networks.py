"""A model's networks as numbers that the explorer's JavaScript reads back: which layers, and their rounded weights.

1.3 million weights of 32 bits are 7 MB of text. So the kernels are rounded to whole multiples of a step, as coarsely as
the results allow, and the page holds the multiples.
"""

import base64
import math
import zlib
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import layers, ops

from vae_helpers.losses import at_least_float32, bernoulli_nll, gaussian_kl

_LARGEST = 4_000_000  # weights of a network: more would make a page that no mail carries
_SLOWEST = 60_000_000  # multiplications of a network for one picture: about a tenth of a second in a browser
_SMALL = {"dense": 300_000, "conv": 1_000_000}  # weights of a network up to which 16 bits each are few enough
_COARSEST = 1 / 2  # of a kernel's standard deviation: the largest step
_FINEST = 16  # bits of each weight where nothing is gained by fewer
_DAMPING = 3e-4  # part of the inputs' mean square that is added as noise, for drawings unlike all images
_RIDGE = 1.0  # the same, where a layer makes good the errors of those before it
_BATCH = 1000

_ACTIVATIONS = {
    getattr(keras.activations, name): name
    for name in ("linear", "relu", "sigmoid", "tanh", "elu", "gelu", "silu", "softplus", "leaky_relu")
}
_NOTHING_TO_DO = (layers.Dropout, layers.SpatialDropout2D, layers.GaussianNoise, layers.GaussianDropout)

PIXEL_MEANS = {
    "sigmoid": lambda outputs: 1 / (1 + np.exp(-np.clip(outputs, -80, 80))),
    "linear": lambda outputs: outputs,
}


class CannotRunError(Exception):
    """The page cannot run this network. The message says why, as the end of a sentence."""


@dataclass
class Network:
    """A network as the page runs it.

    steps: one dict for each layer: "kind", "from" (index of the step that it reads; -1 is the input) and what it needs.
    outputs: the indices of the steps that give the results.
    twin: a copy of the Keras network that has the rounded weights.
    blob: the weights of all steps, one after the other.
    """

    steps: list
    outputs: list
    true: keras.Model = field(repr=False)
    twin: keras.Model = field(repr=False)
    blob: bytes = field(default=b"", repr=False)

    def for_page(self):
        return {"steps": self.steps, "outputs": self.outputs}


def read(network):
    """The `Network` of a Keras model, without weights yet. Raises `CannotRunError` for a layer that the page lacks."""
    numbers = {}  # which step gives a tensor
    steps, owners = [], []

    def visit(tensor):
        if id(tensor) in numbers:
            return numbers[id(tensor)]
        layer, node_index, _ = tensor._keras_history
        if isinstance(layer, layers.InputLayer):
            return -1
        sources = layer._inbound_nodes[node_index].input_tensors
        step = _step(layer, sources)
        step["from"] = visit(sources[0])
        steps.append(step)
        owners.append(layer)
        numbers[id(tensor)] = len(steps) - 1
        return numbers[id(tensor)]

    outputs = [visit(tensor) for tensor in network.outputs]
    _check_size(network, steps, owners)
    twin = keras.models.clone_model(network)
    twin.set_weights(network.get_weights())
    for step, owner in zip(steps, owners):
        step["name"] = owner.name
    return Network(steps, outputs, network, twin)


def _check_size(network, steps, owners):
    weights = sum(math.prod(weight.shape) for weight in network.weights)
    if weights > _LARGEST:
        raise CannotRunError(f"it has {weights:,} weights, too many for a page")
    with_weights = [layer for layer in owners if layer.weights]
    if len(with_weights) > len({id(layer) for layer in with_weights}):
        raise CannotRunError("one of its layers is used twice")
    places = {"conv": "result", "deconv": "shape"}  # where a convolution is worked out, before or after it
    products = sum(
        math.prod(step[places[step["kind"]]][:2] if step["kind"] in places else ()) * math.prod(layer.kernel.shape)
        for step, layer in zip(steps, owners)
        if layer.weights
    )
    if products > _SLOWEST:
        raise CannotRunError(f"it needs {products / 1e6:.0f} million multiplications a picture, too many for a page")


def _step(layer, sources):
    """What the page needs to know of a layer, except its weights."""
    kind = type(layer)
    if len(sources) != 1:
        raise CannotRunError(f"its layer {layer.name} ({kind.__name__}) joins {len(sources)} tensors")
    if kind in (layers.Flatten, layers.Reshape) or kind in _NOTHING_TO_DO:
        return {"kind": "same"}  # the numbers stay in their order
    if kind in (layers.Activation, layers.ReLU, layers.ELU):
        return {"kind": "activation", "activation": _activation(layer)}
    if kind is layers.Dense and not getattr(layer, "lora_enabled", False):
        return {"kind": "dense", "activation": _activation(layer)}
    if kind in (layers.Conv2D, layers.Conv2DTranspose) and _is_plain(layer):
        return {
            "kind": "conv" if kind is layers.Conv2D else "deconv",
            "activation": _activation(layer),
            "strides": list(layer.strides),
            "padding": layer.padding,
            "shape": list(sources[0].shape[1:]),
            "result": list(layer.output.shape[1:]),
        }
    raise CannotRunError(f"its layer {layer.name} ({kind.__name__}) is none of those that the page can compute")


def _is_plain(layer):
    plain = layer.data_format == "channels_last" and set(layer.dilation_rate) == {1}
    return plain and getattr(layer, "groups", 1) == 1 and getattr(layer, "output_padding", None) is None


def _activation(layer):
    """The name of what a layer does to each number."""
    if type(layer) is layers.ReLU and layer.get_config() == layers.ReLU(name=layer.name).get_config():
        return "relu"
    if type(layer) is layers.ELU and layer.alpha == 1:
        return "elu"
    function = getattr(layer, "activation", None)
    if function not in _ACTIVATIONS:
        raise CannotRunError(f"its layer {layer.name} has an activation that the page cannot compute")
    return _ACTIVATIONS[function]


def run(network, x):
    """The outputs of a Keras network, (n, …) each, as a list of numpy arrays; computed batch by batch."""
    batches = [_as_arrays(network(x[i : i + _BATCH], training=False)) for i in range(0, len(x), _BATCH)]
    return [np.concatenate(parts) for parts in zip(*batches)]


def _as_arrays(outputs):
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [ops.convert_to_numpy(at_least_float32(output)) for output in outputs]


def round_weights(network, x, error, slopes=None):
    """Round the weights of a `Network` as coarsely as `error` allows, and fill its blob and its steps.

    x: inputs such as the network will meet, (n, …). error: a function of the outputs of the rounded network for x, a
    list of arrays, that says how far they are from the true ones; 1 is as far as they may be. slopes: how much each
    number of a single output matters; by default all the same.
    """
    true = network.twin.get_weights()
    convolves = any(step["kind"] in ("conv", "deconv") for step in network.steps)  # slower to judge, and smaller
    small = sum(weight.size for weight in true) <= _SMALL["conv" if convolves else "dense"]
    detail = None if small else 8.5
    weights = [None] * len(network.steps) if small else _weigh_units(network, x, slopes)
    while True:
        network.twin.set_weights(true)
        parts = (_round_step(network, step, x, detail, of_units) for step, of_units in zip(network.steps, weights))
        network.blob = b"".join(parts)
        far = 0 if detail is None else error(run(network.twin, x))
        if far <= 1:
            return
        detail += math.log2(far) + 0.15  # half the step, half the error
        detail = detail if detail < _FINEST - 4 else None


def _weigh_units(network, x, slopes):
    """How much an error in each unit of each step matters for the outputs, from 1/16 to 1; None where all count alike.

    From the last step to the first: an error matters as much as the kernel of the next dense layer lets it through, and
    as often as a ReLU does. Units that are never active for x could have any weights; drawings may wake them up.
    """
    through = [None] * len(network.steps)  # squares, before the activation
    for k in reversed(range(len(network.steps))):
        step, layer = network.steps[k], network.true.get_layer(network.steps[k]["name"])
        after = [j for j, other in enumerate(network.steps) if other["from"] == k]
        parts = [_through_step(network, j, through[j]) for j in after]
        if k in network.outputs:
            parts.append(np.ones(math.prod(layer.output.shape[1:])) if slopes is None else np.square(slopes).ravel())
        if all(part is not None for part in parts):
            active = run(keras.Model(network.true.input, layer.output), x)[0].reshape(len(x), -1) > 0
            through[k] = sum(parts) * (active.mean(axis=0) if step.get("activation") == "relu" else 1)
    roots = [None if square is None else np.sqrt(square) for square in through]
    return [None if root is None else np.maximum(root / max(root.max(), 1e-30), 1 / 16) for root in roots]


def _through_step(network, k, squares):
    """What reaches a step's inputs of the squares at its outputs; None where that is not worked out."""
    kind = network.steps[k]["kind"]
    if squares is None or kind in ("conv", "deconv"):
        return None
    if kind != "dense":
        return squares
    kernel = ops.convert_to_numpy(network.true.get_layer(network.steps[k]["name"]).kernel)
    return np.square(kernel) @ squares if len(squares) == kernel.shape[1] else None


def _round_step(network, step, x, detail, of_units):
    """Round the weights of one layer of a network's twin, and return them as bytes.

    detail: the step is 2^-detail standard deviations of the kernel; None for 16 bits. of_units: see `_weigh_units`.
    """
    layer, twin = network.twin.get_layer(step["name"]), network.twin
    if not layer.weights:
        return b""
    kernel = ops.convert_to_numpy(layer.kernel)
    rows = kernel.reshape(-1, kernel.shape[-1]).astype("float64")
    scales = np.ones(rows.shape[1], "float32")
    if detail is not None and step["kind"] == "dense":
        if of_units is not None and len(of_units) == len(scales):
            scales = (1 / of_units).astype("float32")
        inputs = run(keras.Model(twin.input, layer.input), x)[0].reshape(-1, len(rows))
        true = run(keras.Model(network.true.input, network.true.get_layer(step["name"]).input), x)[0]
        rows /= scales
        multiples, sizes = _round_with_feedback(rows, inputs, true.reshape(inputs.shape), rows.std() / 2**detail)
    else:
        sizes = np.maximum(np.abs(rows).max(axis=1), 1e-30) / (2 ** (_FINEST - 1) - 1)
        sizes = sizes.astype("float32")
        multiples = np.rint(rows / sizes[:, None]).astype(int)
    layer.kernel.assign((multiples * sizes[:, None].astype("float64") * scales).reshape(kernel.shape))
    bias = ops.convert_to_numpy(layer.bias) if layer.use_bias else np.zeros(0)
    step |= {"kernel": list(kernel.shape), "bias": len(bias)}
    return np.concatenate([bias, scales, sizes]).astype("<f4").tobytes() + _as_bytes(multiples)


def _round_with_feedback(rows, inputs, true, finest):
    """(multiples, sizes): rows (inputs, units) rounded to multiples * sizes, one size for each row, so that
    inputs @ rounded is as near as can be to true @ rows.

    The rows are rounded in turn, and the error is made good in the rows that come after, as far as their inputs vary
    together: neighbouring pixels do, and a decoder's units, which all depend on a few latents. An input that tells
    little beside those after it needs no fine steps: each row adds the same to the error.
    inputs, true: (n, inputs), as the rounded and the true layers before give them; the first errors to be made good are
    those between the two. finest: the smallest step.
    Source: Frantar et al., GPTQ (2023), algorithm 1; the sizes are ours.
    """
    products = inputs.T.astype("float64") @ inputs
    products[np.diag_indices_from(products)] += max(_DAMPING * np.trace(products) / len(products), 1e-12)
    ridge = _RIDGE * np.trace(products) / len(products) * np.eye(len(products))
    rows = rows + np.linalg.solve(products + ridge, inputs.T.astype("float64") @ (true - inputs)) @ rows
    order = np.argsort(-np.diag(products))  # the strongest first, while there are many left to make it good
    feedback = np.linalg.cholesky(np.linalg.inv(products[np.ix_(order, order)])).T
    alone = np.diag(feedback)  # 1 / how far each input varies while those after it stay as they are
    sizes = np.minimum(finest * alone / alone.min(), max(finest, rows.std() * _COARSEST)).astype("float32")
    rest = rows[order]
    multiples = np.empty(rest.shape, int)
    for block in np.array_split(np.arange(len(rest)), math.ceil(len(rest) / 64)):  # a block stays in the cache
        first, end = block[0], block[-1] + 1
        errors = np.empty((len(block), rest.shape[1]))
        for i in block:
            multiples[i] = np.rint(rest[i] / sizes[i])
            errors[i - first] = (rest[i] - multiples[i] * sizes[i]) / feedback[i, i]
            rest[i + 1 : end] -= np.outer(feedback[i, i + 1 : end], errors[i - first])
        rest[end:] -= feedback[first:end, end:].T @ errors
    back = np.argsort(order)
    return multiples[back], sizes[back]


def _as_bytes(multiples):
    """Whole numbers (rows, units) as bytes: for each row how many low bits are split off, so that the rest fits into a
    byte; then all these bytes; then all the low bits.

    The bytes, of which few are large, can be packed; the low bits are noise.
    """
    most = np.maximum(multiples.max(axis=1), -1 - multiples.min(axis=1))
    fine = np.maximum(np.frexp(most)[1] - 7, 0)
    high = (multiples >> fine[:, None]).astype("int8")
    low = [(row[:, None] >> np.arange(bits)[::-1]) & 1 for row, bits in zip(multiples, fine)]
    packed = np.packbits(np.concatenate([bits.ravel() for bits in low]))
    return fine.astype("uint8").tobytes() + high.tobytes() + packed.tobytes()


def pixel_mean(model):
    """Which of PIXEL_MEANS `model.decode` uses. Raises `CannotRunError` where it is none."""
    codes = np.random.default_rng(0).normal(size=(20, model.latent_dim)).astype("float32")
    images, outputs = np.asarray(model.decode(codes)), run(model.decoder, codes)[0]
    for name, mean in PIXEL_MEANS.items():
        if np.allclose(images, mean(outputs), atol=1e-3):
            return name
    raise CannotRunError("its likelihood has a mean that the page cannot compute")


def pack(networks):
    """The blobs of several networks as text: base85 of a zlib stream, which browsers can unpack themselves.

    Its letters are those of `base64.b85encode`, but for three that HTML would need longer words for.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)  # rounded weights never repeat
    packed = packer.compress(b"".join(network.blob for network in networks)) + packer.flush()
    return base64.b85encode(packed).translate(bytes.maketrans(b"&<>", b",./")).decode()


class Judge:
    """How far rounded networks are from a model: on images, on their codes, and on as many random codes.

    images: (n, height, width, channels). mean: how a decoder's output becomes the mean of a pixel, one of PIXEL_MEANS.
    in_nats: whether the reconstruction is that of `bernoulli_nll`.
    """

    def __init__(self, model, images, mean, in_nats):
        self.model, self.images, self.to_pixels, self.in_nats = model, images, PIXEL_MEANS[mean], in_nats
        self.posterior = run(model.encoder, images)  # [mean, log_var], or [code]
        self.spread = [np.maximum(values.std(axis=0), 0.1) for values in self.posterior]
        random = np.random.default_rng(0).normal(size=(2, *self.posterior[0].shape))
        wide = 1.5 * np.maximum(1, self.posterior[0].std(axis=0)) * random[1]
        self.codes = np.concatenate([self.posterior[0], random[0], wide]).astype("float32")
        (self.outputs,) = run(model.decoder, self.codes)
        pixels = self.to_pixels(self.outputs)
        self.slopes = np.sqrt((pixels * (1 - pixels)).mean(axis=0)) if mean == "sigmoid" else None

    def encoder_error(self, posterior):
        """1 where the codes, or what the true decoder makes of them, are as far off as they may be."""
        outputs = run(self.model.decoder, posterior[0])[0]
        pixel, nats = self._pixel_error(outputs).max(), self._nats_error(outputs, posterior)
        return max(self._code_error(posterior) / 0.006, 255 * pixel / 0.75, nats / 0.075)

    def decoder_error(self, outputs):
        """The same for [outputs] of a decoder for `codes`; it gets the smaller share of what is allowed."""
        pixel, nats = self._pixel_error(outputs[0]).max(), self._nats_error(outputs[0], self.posterior)
        return max(255 * pixel / 0.4, nats / 0.03)

    def measure(self, encoder, decoder):
        """What the page says of its networks: the largest differences on the images and the random codes.

        pixel, meanPixel: of one pixel, and of the mean over an image's pixels. code: of a latent's mean or log_var, as
        a part of its spread. nats: of the loss without noise, or 0 for a loss that the page does not know.
        """
        posterior = run(encoder, self.images)
        seen = run(decoder, posterior[0])[0]
        outputs = np.concatenate([seen, run(decoder, self.codes[len(seen) : 2 * len(seen)])[0]])
        errors = self._pixel_error(outputs)
        return {
            "pixel": float(errors.max()),
            "meanPixel": float(errors.mean(axis=(1, 2, 3)).max()),
            "code": float(self._code_error(posterior)),
            "nats": float(self._nats_error(seen, posterior)),
        }

    def medians(self):
        """The medians of the images: "reconstruction" and "kl" (or None), "loss" at the mean, "sampled" with noise."""
        n = len(self.images)
        reconstruction, kl = self._reconstruction(self.outputs[:n]), self._kl(self.posterior)
        noise = np.random.default_rng(1).normal(size=self.posterior[0].shape)
        spread = np.exp(0.5 * self.posterior[1]) if len(self.posterior) == 2 else 0
        sampled = self._reconstruction(run(self.model.decoder, (self.codes[:n] + spread * noise).astype("float32"))[0])
        values = {"reconstruction": reconstruction, "kl": kl, "loss": reconstruction + kl, "sampled": sampled + kl}
        return {name: round(float(np.median(value)), 3) for name, value in values.items()}

    def latents_by_kl(self):
        """The indices of the latents, those with most KL first; as they are, for a model without KL."""
        if len(self.posterior) == 1:
            return list(range(self.model.latent_dim))
        mean, log_var = self.posterior
        kl = np.mean(np.square(mean) + np.expm1(log_var) - log_var, axis=0)
        return np.argsort(-kl, kind="stable").tolist()

    def _code_error(self, posterior):
        return max((np.abs(a - b) / s).max() for a, b, s in zip(posterior, self.posterior, self.spread))

    def _pixel_error(self, outputs):
        return np.abs(self.to_pixels(outputs) - self.to_pixels(self.outputs[: len(outputs)]))

    def _nats_error(self, outputs, posterior):
        if not self.in_nats:
            return 0.0
        n = len(self.images)
        true = self._reconstruction(self.outputs[:n]) + self._kl(self.posterior)
        return np.abs(self._reconstruction(outputs[:n]) + self._kl(posterior) - true).max()

    def _reconstruction(self, outputs):
        if self.in_nats:
            return ops.convert_to_numpy(bernoulli_nll(self.images, outputs))
        return np.square(self.images - self.to_pixels(outputs)).sum(axis=(1, 2, 3))

    def _kl(self, posterior):
        return ops.convert_to_numpy(gaussian_kl(*posterior)) if len(posterior) == 2 else np.zeros(len(self.images))
