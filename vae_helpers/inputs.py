"""The doors: everything from outside arrives here, and what cannot be used is refused with the line to write instead.

`check_images` and `check_source` for images, `target` for what is to be reconstructed, `check_labels` for classes,
`check_pictures` for what is drawn, `check_networks` for an encoder and a decoder.
"""

import inspect
import itertools
import math
import types

import keras
import numpy as np
from keras import ops

from vae_helpers.losses import check_pixels

ROWS = 256  # images per call of a network, so that a whole data set does not fill the memory


def _kind(value):
    """The type as its user knows it: "pandas DataFrame", "dict", "PIL Image"."""
    package = type(value).__module__.partition(".")[0]
    return type(value).__name__ if package in ("builtins", "numpy") else f"{package} {type(value).__name__}"


def _size(shape):
    """(batch, 28, 28, 1), as it is written."""
    return f"({', '.join(map(str, ('batch', *shape)))})"


def _call(shape):
    return ", ".join(map(str, (-1, *shape)))


# Images


def check_images(x, image_shape, name="x", pixels=(0.0, 1.0)):
    """Raise ValueError unless x is one array, or tensor, of images (batch, *image_shape) with values in `pixels`."""
    _check_is_array(x, image_shape, name)
    if len(x.shape) != len(image_shape) + 1 or any(a not in (None, b) for a, b in zip(x.shape[1:], image_shape)):
        shape = tuple(x.shape)
        raise ValueError(
            f"{name} has shape {shape}; this model reads {_size(image_shape)}. {_reshape(shape, image_shape, name)}"
        )
    check_pixels(x, name, pixels)


def _check_is_array(x, image_shape, name):
    shape = _call(image_shape)
    if x is None:
        remedy = f"give images {_size(image_shape)}"
    elif isinstance(x, dict):
        remedy = f"give the images alone, such as {name}[{next(iter(x), 'image')!r}]"
    elif hasattr(x, "iloc") or type(x).__module__.startswith("polars"):
        remedy = f"write {name}.to_numpy().reshape({shape}), divided by 255 where the pixels go from 0 to 255"
    elif isinstance(x, (list, tuple)) and len({np.shape(part) for part in x}) > 1:
        remedy = "this model has one input, the images. For labels as a second one see the conditional VAE of lesson 08"
    elif isinstance(x, (list, tuple)):
        remedy = f"write numpy.stack({name}).reshape({shape}), divided by 255 where the pixels go from 0 to 255"
    elif type(x).__module__.startswith("PIL"):
        remedy = f"write numpy.asarray({name}).reshape({shape}) / 255"
    elif hasattr(x, "element_spec") or isinstance(x, (types.GeneratorType, keras.utils.PyDataset)):
        remedy = "give one array of images here, such as those of next(iter(dataset))"
    elif not hasattr(x, "shape") or not hasattr(x, "dtype"):
        remedy = f"give an array of images {_size(image_shape)}, or a tf.data.Dataset of such batches"
    elif getattr(x.shape, "rank", 0) is None:
        raise ValueError(
            f"{name} comes without shapes. With from_generator write output_signature=tf.TensorSpec("
            f"{(None, *image_shape)}, 'float32'); elsewhere dataset.map(lambda x: tf.ensure_shape(x, …))."
        )
    elif str(getattr(x.dtype, "name", x.dtype)).startswith(("object", "str", "bytes", "string", "complex", "void")):
        remedy = f"write numpy.stack(list({name})).reshape({shape}).astype('float32')"
        raise ValueError(f"{name} is an array of {getattr(x.dtype, 'name', x.dtype)}; images are numbers: {remedy}.")
    else:
        return
    raise ValueError(f"{name} is {'missing' if x is None else f'a {_kind(x)}'}: {remedy}.")


def _reshape(shape, wanted, name):
    """The line that makes `wanted` of images of another shape."""
    rest = shape[1:]
    if shape == wanted:
        return f"One image needs a batch axis, {name}[None]."
    if len(wanted) == 3 and rest == wanted[:2]:
        return f"Grey images need a channel axis, {name}[..., None]."
    if len(rest) < len(wanted) and None not in rest and rest and math.prod(rest) == math.prod(wanted):
        return f"Rows of numbers become images by {name}.reshape({_call(wanted)})."
    if len(rest) == len(wanted) == 3:
        if rest[:2] == wanted[:2]:
            return _channels(rest[-1], wanted[-1], name)
        if rest == (wanted[2], wanted[0], wanted[1]):
            return f"The channels come last: numpy.moveaxis({name}, 1, -1)."
        return f"For images of another size: keras.ops.image.resize({name}, {wanted[:2]}), or networks of that size."
    return "One image needs a batch axis, x[None]; grey images need a channel axis, x[..., None]."


def _channels(found, wanted, name):
    if found == 4:
        return f"Leave out the transparency: {name}[..., :3]" + (", then its mean over the last axis." * (wanted == 1))
    if wanted == 1:
        return f'Colour becomes grey by {name}.mean(-1, keepdims=True); in a folder of files by color_mode="grayscale".'
    return f"Repeat the grey channel: numpy.repeat({name}, {wanted}, -1); or build the networks for {found} channel(s)."


def check_source(x, image_shape, name="x", pixels=(0.0, 1.0)):
    """The same for all that Keras trains on. Returns what Keras is to be given: x, or a generator that begins anew.

    x: an array, a tf.data.Dataset, a PyDataset or a generator of batches, (images, targets, weights) or less.
    Of a Dataset the shapes are looked at here, of a PyDataset and a generator the first batch; the rest by `Watch`.
    """
    if hasattr(x, "element_spec"):
        spec = images_of(x.element_spec)
        if hasattr(spec, "dtype") or not hasattr(spec, "_component_specs"):  # else: spread over devices by its user
            if getattr(spec, "shape", None) is not None and tuple(spec.shape or ()) == tuple(image_shape):
                raise ValueError(f"{name} is a Dataset of single images: make batches of them, dataset.batch(64).")
            if isinstance(spec, dict):
                key = next(iter(spec), "image")
                raise ValueError(
                    f"{name} is a Dataset of dictionaries with the keys {', '.join(map(repr, spec))}: give the images "
                    f"alone, dataset.map(lambda d: d[{key!r}]), divided by 255 where they go from 0 to 255."
                )
            check_images(spec, image_shape, name, pixels)
        return x
    if isinstance(x, keras.utils.PyDataset):
        if len(x):
            check_images(images_of(x[0]), image_shape, f"the first batch of {name}", pixels)
        return x
    if isinstance(x, types.GeneratorType):
        return _first_checked(x, image_shape, name, pixels)
    if not hasattr(x, "shape") and hasattr(x, "__iter__") and type(x).__module__.startswith("torch"):
        return x  # a DataLoader
    check_images(x, image_shape, name, pixels)
    return x


def _first_checked(batches, image_shape, name, pixels):
    """The same generator, whose first batch was looked at now."""
    first = list(itertools.islice(batches, 1))
    for batch in first:
        check_images(images_of(batch), image_shape, f"the first batch of {name}", pixels)
    return (batch for batch in itertools.chain(first, batches))


def images_of(batch):
    """The images in what one step of a Dataset gives: (images,), (images, targets), … or the images themselves."""
    return batch[0] if isinstance(batch, (tuple, list)) and len(batch) in (1, 2, 3) else batch


def image_batches(x, image_shape, name="x", pixels=(0.0, 1.0), rows=ROWS):
    """The images of an array, a Dataset or a PyDataset, checked, in arrays of at most so many rows."""
    if isinstance(x, keras.utils.PyDataset):
        sources = (x[i] for i in range(len(x)))
    elif hasattr(x, "element_spec") or isinstance(x, types.GeneratorType):
        sources = check_source(x, image_shape, name, pixels)
    else:
        sources = [(x,)]
    for source in map(images_of, sources):
        check_images(source, image_shape, name, pixels)
        if source.shape[0] is None or source.shape[0] <= rows:
            yield source
        else:
            yield from (source[i : i + rows] for i in range(0, source.shape[0], rows))


# What is to be reconstructed, and how much each image counts


def target(x, y, image_shape):
    """The images that a loss compares with: y where it has the images' shape; else x, and y are labels, not used.

    Raises ValueError for a y that is neither.
    """
    if y is None:
        return x
    rank = y.shape.rank if hasattr(y.shape, "rank") else len(y.shape)
    if rank is None:  # a Dataset without shapes, or Keras, which joins the shapes of several calls of fit
        raise ValueError(
            "y comes without a known shape. Where this model was trained with a y of another shape before, call "
            "compile(…) again; in a Dataset, give labels or images a shape with tf.ensure_shape."
        )
    if tuple(y.shape[1:]) == tuple(image_shape):
        return y
    if rank > 2:
        raise ValueError(
            f"y has shape {tuple(y.shape)}; targets are images of the model's shape, {_size(image_shape)}, and labels "
            f"have the shape (batch,). {_reshape(tuple(y.shape), tuple(image_shape), 'y')}"
        )
    return x


def check_targets(y, n, image_shape, pixels, class_weight=None, name="y"):
    """The y that Keras is to be given beside an array of n images: targets, or None for labels, which are not used."""
    if class_weight is not None and y is None:
        raise ValueError(f"class_weight weights classes: give the labels too, fit(x, {name}, class_weight=…).")
    if y is None:
        return None
    if not hasattr(y, "shape") or hasattr(y, "iloc"):
        y = np.asarray(y)
    if y.ndim == 0 or y.shape[0] != n:
        raise ValueError(f"{name} has shape {tuple(y.shape)} for {n} images: give one target, or one label, for each.")
    is_target = target(None, y, image_shape) is y
    if is_target:
        check_pixels(y, name, pixels)
    if class_weight is None:
        return y if is_target else None
    if is_target or y.dtype.kind not in "iufb":
        what = "images" if is_target else f"{y.dtype.name} labels"
        raise ValueError(
            f"class_weight needs labels that are whole numbers, and {name} holds {what}: use sample_weight."
        )
    return y


def check_sample_weight(weight, n, name="sample_weight"):
    """Raise ValueError unless it is None or n finite numbers."""
    if weight is None:
        return None
    values = np.asarray(weight)
    if values.shape not in ((n,), (n, 1)) or values.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} is {values.dtype.name} of shape {values.shape}; give one number for each of {n} images."
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds numbers that are not finite; give 0 for an image that is not to count.")
    return values.reshape(n)


# Labels


def check_labels(labels, n, class_names=None, name="labels"):
    """(the names of the classes, the class of each image as an index into them, (n,) int64).

    labels: n of them: whole numbers, also as floats or as text; names; (n, 1); one-hot (n, classes); a pandas Series,
        whose index is not looked at.
    class_names: a text for each class, in the order of the numbers; None to name the classes by their labels.
    Raises ValueError, with what to write, for anything else.
    """
    values = np.asarray(labels.to_numpy() if hasattr(labels, "to_numpy") else labels)
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values.flat):
        values = values.astype(str)
    if values.ndim == 2 and values.shape[1] > 1 and values.shape[0] == n and values.dtype.kind in "biuf":
        if not (np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all()):
            raise ValueError(f"{name} has shape {values.shape} and is not one-hot: give one class for each image.")
        values = values.argmax(axis=1)
    elif values.shape == (n, 1):
        values = values[:, 0]
    if values.shape != (n,):
        raise ValueError(f"{name} has shape {values.shape} for {n} images; give one label for each image.")
    if values.dtype.kind not in "biufUS":
        raise ValueError(f"{name} are {values.dtype.name}; give whole numbers or texts.")
    if class_names is None:
        if values.dtype.kind == "f" and (values == np.round(values)).all():
            values = values.astype(np.int64)
        classes, indices = np.unique(values, return_inverse=True)
        return [str(one) for one in classes], indices.reshape(n)
    return [str(one) for one in class_names], _as_indices(values, [str(one) for one in class_names], name)


def _as_indices(values, class_names, name):
    if values.dtype.kind in "US":
        known = {text: index for index, text in enumerate(class_names)}
        unknown = sorted(set(map(str, values)) - set(known))
        if unknown:
            raise ValueError(f"{name} has {unknown[0]!r}, which is none of class_names: {', '.join(class_names[:12])}.")
        return np.array([known[str(value)] for value in values], np.int64)
    if values.dtype.kind == "f" and not (values == np.round(values)).all():
        raise ValueError(
            f"{name} are fractions, such as {values[values != np.round(values)][0]:g}; give whole numbers."
        )
    if len(values) and not 0 <= values.min() <= values.max() < len(class_names):
        raise ValueError(
            f"{name} go from {values.min():g} to {values.max():g} ({values.dtype}); for {len(class_names)} class_names "
            f"they must be whole numbers from 0 to {len(class_names) - 1}."
        )
    return values.astype(np.int64)


# Pictures


def check_pictures(images, name="images"):
    """Images to draw, (n, height, width, 1 or 3), as floats in [0, 1]. uint8 is divided by 255.

    Raises ValueError for another shape, and for numbers outside [0, 1], with what they look like.
    """
    if isinstance(images, dict):
        raise ValueError(f"{name} is a dict, as predict returns it: draw vae.reconstruct(x), or vae.decode(z).")
    if hasattr(images, "element_spec"):
        images = images_of(next(iter(images)))
    images = ops.convert_to_numpy(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        hint = "One image: image[None]."
        if images.ndim == 4 and images.shape[-1] == 4:
            hint = f"Leave out the transparency: {name}[..., :3]."
        elif images.ndim == 3 and images.shape[-1] > 4:
            hint = f"Grey images need a channel axis: {name}[..., None]. One image: image[None]."
        raise ValueError(f"{name} has shape {images.shape}; it must be (batch, height, width, 1 or 3). {hint}")
    return as_brightness(images, name)


def as_brightness(values, name):
    """Numbers to draw, as floats in [0, 1]; uint8 is divided by 255. Raises ValueError for others."""
    values = np.asarray(values)
    if values.dtype == np.uint8:
        return values.astype("float32") / 255
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} are {values.dtype.name}; give numbers in [0, 1], or uint8.")
    if values.size == 0:
        return values.astype("float32")
    low, high = float(values.min()), float(values.max())
    if low >= -1e-4 and high <= 1 + 1e-4:
        return np.clip(values, 0, 1) if values.dtype.kind == "f" else values.astype("float32")
    found = f"{name} go from {low:.4g} to {high:.4g}; what is drawn must lie in [0, 1]."
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{found} Some are not finite: did the training fail?")
    if low >= 0 and 2 < high <= 255:
        raise ValueError(f"{found} They look like grey values from 0 to 255: divide by 255.")
    if low >= -1 and high <= 1:
        raise ValueError(f"{found} They look like images from -1 to 1: draw ({name} + 1) / 2.")
    raise ValueError(
        f"{found} They look like logits, which a decoder gives: draw vae.decode(z), or keras.ops.sigmoid(logits)."
    )


# Networks

# Of these, no negative number comes out, or no large one: a decoder that ends in one cannot give every logit.
_BOUNDED = (
    "sigmoid",
    "hard_sigmoid",
    "softmax",
    "tanh",
    "hard_tanh",
    "softsign",
    "relu",
    "relu6",
    "softplus",
    "exponential",
)
_SHAPING = ("Reshape", "Flatten", "Permute", "Cropping2D", "ZeroPadding2D", "UpSampling2D", "Dropout", "Identity")


def check_networks(encoder, decoder, heads, mean):
    """Raise ValueError unless an encoder with so many outputs and a decoder fit together.

    mean: what makes a picture of the decoder's output. Where that is not the output itself, it must be any number.
    """
    for network, name in ((encoder, "encoder"), (decoder, "decoder")):
        _check_network(network, name)
    outputs = len(encoder.outputs)
    if outputs != heads:
        expected = "mean and log_var (variational=True)" if heads == 2 else "one code (variational=False)"
        raise ValueError(f"the encoder has {outputs} output(s); this model needs {expected}.")
    shapes = [tuple(output.shape[1:]) for output in encoder.outputs]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1:
        raise ValueError(f"the encoder's outputs have the shapes {shapes}; each must be (batch, latent_dim).")
    codes, z = shapes[0][-1], decoder.input_shape[-1]
    if codes != z:
        raise ValueError(
            f"the encoder gives {codes} latents and the decoder takes {z}: build both with one latent_dim."
        )
    images, logits = tuple(encoder.input_shape[1:]), tuple(decoder.output_shape[1:])
    if images != logits:
        raise ValueError(
            f"the encoder reads images {images} and the decoder gives {logits}: build both with one image_shape."
        )
    output = -3.0 * np.ones((1, *logits), "float32")
    if (activation := _last_activation(decoder)) in _BOUNDED and np.any(ops.convert_to_numpy(mean(output)) != output):
        raise ValueError(
            f"the decoder ends in {activation}; it must give logits, any real number: leave that activation out. The "
            "model applies the sigmoid where it draws. (To train on squared error: VAE(…, nll=vh.squared_error).)"
        )


def _check_network(network, name):
    build = f"build it with keras.Model(inputs, outputs), or with vh.mlp_{name}"
    if inspect.getmodule(type(network)) and any("tf_keras" in kind.__module__ for kind in type(network).__mro__):
        raise ValueError(
            f"the {name} is a network of legacy Keras (tf_keras), which would not learn here: leave "
            f"TF_USE_LEGACY_KERAS out and {build}, after import keras."
        )
    if not isinstance(network, keras.Model):
        raise ValueError(f"the {name} is a {_kind(network)}; {build}.")
    if isinstance(network, keras.Sequential) and not network.built:
        raise ValueError(f"the {name} is a Sequential without an input: begin it with keras.Input(shape), or {build}.")
    try:
        inputs, outputs = network.inputs, network.outputs
    except (AttributeError, ValueError):
        inputs, outputs = None, None
    if not inputs or not outputs:
        raise ValueError(f"the {name} is a subclass, {type(network).__name__}, without inputs and outputs: {build}.")
    if len(inputs) > 1:
        raise ValueError(
            f"the {name} has {len(inputs)} inputs; this model gives it one. For labels beside the images see the "
            "conditional VAE of lesson 08."
        )
    if name == "decoder" and len(outputs) > 1:
        raise ValueError(f"the decoder has {len(outputs)} outputs; this model needs one, the logits.")
    if any(side is None for shape in (inputs[0].shape[1:], outputs[0].shape[1:]) for side in shape):
        raise ValueError(f"the {name} has sizes that are not fixed, {tuple(inputs[0].shape)}: {build}.")


def _last_activation(network):
    """The name of the activation that the output of a network comes from, or None."""
    layer = network
    tensor = network.outputs[0]
    while True:
        layer = tensor._keras_history.operation
        if isinstance(layer, keras.Model):
            tensor = layer.outputs[0]
        elif type(layer).__name__ in _SHAPING:
            tensor = layer.input if not isinstance(layer.input, list) else layer.input[0]
        else:
            break
    activation = getattr(layer, "activation", None)
    if activation is None:  # an operation of keras.ops, or a layer such as ReLU
        return {"ReLU": "relu", "Softmax": "softmax"}.get(type(layer).__name__, type(layer).__name__.lower())
    return getattr(activation, "__name__", type(activation).__name__)


def check_nll(nll):
    """(the function that gives the mean of x from the decoder's output, the range of the values of x)."""
    if not callable(nll):
        raise ValueError(f"nll is {nll!r}; it must be a function of images and logits, such as vh.bernoulli_nll.")
    marked = getattr(nll, "func", nll)  # functools.partial keeps the function there
    if not hasattr(marked, "mean") or not hasattr(marked, "pixels"):
        raise ValueError(
            f"nll is {getattr(nll, '__name__', type(nll).__name__)!r}, which does not say what its mean is, so decode "
            "would not know what to draw. Write @vh.likelihood(mean=keras.ops.sigmoid) above it where the decoder "
            "gives logits; where it gives the mean itself, @vh.likelihood(mean=lambda output: output, "
            "pixels=(-math.inf, math.inf)). A normal distribution: functools.partial(vh.gaussian_nll, log_var=-3.0)."
        )
    return marked.mean, marked.pixels
