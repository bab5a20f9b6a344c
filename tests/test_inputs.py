"""What people bring: every dtype by every way, and each thing that is refused, with a remedy that works."""

import itertools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from pairs import by_pairs, cover
from PIL import Image

import vae_helpers as vh
from vae_helpers import inputs

SHAPE = (4, 4, 1)


DTYPES = ["float64", "float32", "float16", "uint8", "int64", "bool", ">f4"]


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y=None, weight=None):
        super().__init__()
        self.parts = [part for part in (x, y, weight) if part is not None]

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return tuple(part[16 * i : 16 * i + 16] for part in self.parts)


def native(*parts):
    """TensorFlow has no other byte order."""
    return [part.astype(part.dtype.newbyteorder("=")) for part in parts if part is not None]


def generator(*parts):
    parts = native(*parts)
    return (tuple(part[i : i + 16] for part in parts) for i in (0, 16, 32))


SOURCES = {
    "array": lambda x: x,
    "tensor": lambda x: tf.constant(*native(x)),
    "Dataset": lambda x: tf.data.Dataset.from_tensor_slices(*native(x)).batch(16),
    "pairs": lambda x: tf.data.Dataset.from_tensor_slices((*native(x), np.arange(37))).batch(16),
    "PyDataset": Batches,
    "generator": generator,
}
USES = {
    "fit": lambda vae, x: vae.fit(x, verbose=0).history["loss"],
    "evaluate": lambda vae, x: vae.evaluate(x, verbose=0),
    "predict": lambda vae, x: vae.predict(x, verbose=0)["mean"],
    "encode": lambda vae, x: vae.encode(x)[0],
    "reconstruct": lambda vae, x: vae.reconstruct(x),
    "log_likelihood": lambda vae, x: np.mean(vh.log_likelihood(vae, x, 200)),
    "kl_per_dimension": lambda vae, x: vh.kl_per_dimension(vae, x),
    "active_units": lambda vae, x: vh.active_units(vae, x).astype(float),
}


@pytest.fixture(scope="module")
def binary_images():
    return (np.random.default_rng(0).random((37, *SHAPE)) > 0.5).astype("float32")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    vae = vh.VAE(vh.mlp_encoder(SHAPE, 2, (8,)), vh.mlp_decoder(SHAPE, 2, (8,)))
    vae.compile(keras.optimizers.SGD(0.0), steps_per_execution=1)
    return vae


@pytest.fixture(scope="module")
def expected(model, binary_images):
    return {name: np.asarray(use(model, binary_images)) for name, use in USES.items()}


@pytest.fixture
def still(model):
    """A VAE that does not learn, so that every use of it gives the same figures."""
    before = model.get_weights()
    yield model
    model.set_weights(before)  # numbers that are not finite spoil it


def test_the_default_suite_has_each_pair_of_arguments():
    chosen = cover(list(itertools.product(range(8), range(6), range(7))))
    assert len(chosen) < 70
    for one, other in itertools.combinations(range(3), 2):
        assert len({(row[one], row[other]) for row in chosen}) == [8, 6, 7][one] * [8, 6, 7][other]


@by_pairs(use=USES, source=SOURCES, dtype=DTYPES)
def test_every_source_of_every_dtype_does_for_every_function(still, binary_images, expected, source, use, dtype):
    found = USES[use](still, SOURCES[source](binary_images.astype(dtype)))
    tolerance = {"rtol": 0.05} if use in ("fit", "evaluate", "log_likelihood") else {"atol": 1e-5}  # noise
    np.testing.assert_allclose(found, expected[use], **tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_does_for_a_batch(still, binary_images, dtype):
    x = binary_images.astype(dtype)
    losses = [still.train_on_batch(x)[0], still.test_on_batch(x)[0], still.evaluate(binary_images, verbose=0)[0]]
    assert losses == pytest.approx([losses[2]] * 3, rel=0.05)
    assert still.predict_on_batch(x)["mean"] == pytest.approx(np.array(still.encode(binary_images)[0]), abs=1e-5)


def test_nothing_of_a_generator_is_lost(still, binary_images):
    given = []

    def batches():
        for i in (0, 16, 32):
            given.append(i)
            yield (binary_images[i : i + 16],)

    still.fit(batches(), verbose=0)
    assert given == [0, 16, 32]


def test_a_refused_training_leaves_a_model_that_trains(make_vae, grey):
    vae = make_vae()
    with pytest.raises(ValueError, match="grayscale"):
        vae.fit(tf.data.Dataset.from_tensor_slices(np.repeat(grey, 3, -1)).batch(8), verbose=0)

    class Fails(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        vae.fit(grey, verbose=0, callbacks=[Fails()])
    assert len(vae.fit(tf.data.Dataset.from_tensor_slices(grey.astype("float64")).batch(8), verbose=0).epoch) == 1


# Pixels, wherever they come from


def late(x, value):
    """The last batch of three has a pixel that it should not have."""
    x = np.array(x)
    x[35, 1, 2] = value
    return x


BAD_PIXELS = {255.0: "to 255.*by 255", -3.0: "from -3 ", np.nan: "finite", np.inf: "finite"}


@by_pairs(
    use=["fit", "validation", "evaluate", "predict", "encode", "reconstruct", "log_likelihood"],
    source=["Dataset", "pairs", "PyDataset", "generator"],
    value=BAD_PIXELS,
)
def test_a_bad_pixel_in_a_late_batch_is_found(still, grey, use, source, value):
    bad, problem = SOURCES[source](late(grey, value)), BAD_PIXELS[value]
    if use == "validation":
        if source == "generator":
            pytest.skip("Keras takes no generator without a count of steps")
        with pytest.raises(ValueError, match=rf"{problem}|in batch 3 of the validation of epoch 1.*{problem}"):
            still.fit(grey, validation_data=bad, verbose=0)
        return
    with pytest.raises(ValueError, match=problem) as error:
        USES[use](still, bad)
    assert "learning rate" not in str(error.value)
    if use in ("fit", "evaluate"):
        assert re.search(
            "in batch [123]" if source == "PyDataset" else "in batch 3", str(error.value)
        )  # Keras shuffles
    assert ("build the model again" in str(error.value)) == (use == "fit")


@pytest.mark.parametrize("call", ["train_on_batch", "test_on_batch", "predict_on_batch"])
def test_a_bad_pixel_is_found_in_one_batch(still, grey, call):
    with pytest.raises(ValueError, match=r"x has pixels .*255"):
        getattr(still, call)((255 * grey).astype("uint8"))


def test_several_steps_in_one_call_name_the_step_too(make_vae):
    x = np.zeros((30, 4, 4, 1), "float32")
    x[7] = 2
    vae = make_vae()
    with pytest.raises(ValueError, match="from 0 to 2 in batch 8 of epoch 1"):
        vae.fit(tf.data.Dataset.from_tensor_slices(x).batch(1), verbose=0)


# Images that cannot be used


class Frame:
    """As much of a pandas DataFrame as a check can see."""

    iloc, shape, dtype = None, (37, 16), np.dtype("float64")


Frame.__module__ = "pandas.core.frame"


def column(x):
    array = np.empty(len(x), object)
    array[:] = list(x)
    return array


REFUSED = {
    "nothing": (lambda x: None, "x is missing"),
    "DataFrame": (lambda x: Frame(), r"pandas Frame: write x\.to_numpy\(\)\.reshape\(-1, 4, 4, 1\)"),
    "list": (list, r"a list: write numpy\.stack\(x\)\.reshape\(-1, 4, 4, 1\)"),
    "PIL": (lambda x: [Image.new("L", (4, 4))] * 3, r"a list: write numpy\.stack\(x\)\.reshape\(-1, 4, 4, 1\)"),
    "one PIL": (lambda x: Image.new("L", (4, 4)), r"a PIL Image: write numpy\.asarray\(x\)"),
    "dictionary": (lambda x: {"image": x}, r"a dict: give the images alone, such as x\['image'\]"),
    "two inputs": (lambda x: [x, np.zeros((37, 10))], "one input.*lesson 08"),
    "objects": (column, r"array of object.*numpy\.stack\(list\(x\)\)"),
    "texts": (lambda x: x.astype(str), "array of str"),
    "complex": (lambda x: x.astype(complex), "array of complex"),
    "a path": (lambda x: "images/", "a str: give an array"),
    "rows": (lambda x: x.reshape(37, 16), r"x\.reshape\(-1, 4, 4, 1\)"),
    "three channels": (lambda x: np.repeat(x, 3, -1), "grayscale"),
    "four channels": (lambda x: np.repeat(x, 4, -1), "transparency"),
    "channels first": (lambda x: x.reshape(37, 1, 4, 4), r"numpy\.moveaxis\(x, 1, -1\)"),
    "another size": (lambda x: np.zeros((2, 5, 6, 1)), r"resize\(x, \(4, 4\)\)"),
    "no channel axis": (lambda x: x[..., 0], r"x\[\.\.\., None\]"),
    "no batch axis": (lambda x: x[0], r"x\[None\]"),
}


@pytest.mark.parametrize("make, message", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize(
    "use", ["fit", "validation", "evaluate", "predict", "encode", "reconstruct", "log_likelihood", "batch"]
)
def test_images_that_cannot_be_used_are_refused_with_a_remedy(still, grey, use, make, message):
    bad = make(grey)
    uses = {
        **USES,
        "validation": lambda vae, x: vae.fit(grey, validation_data=x, verbose=0),
        "batch": lambda vae, x: vae.train_on_batch(x),
    }
    if use == "validation":
        if (
            bad is None
            or "two inputs" in message
            or "one input" in message
            or (isinstance(bad, list) and len(bad) == 3)
        ):
            return  # no validation; (images, labels); (images, targets, weights)
        message = message.replace("x", "validation_data", 1) if message.startswith("x is") else message
        message = re.sub(r"\bx\b(?! x)", "(x|validation_data)", message)
    before = still.get_weights()
    with pytest.raises(ValueError, match=message):
        uses[use](still, bad)
    for old, new in zip(before, still.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_the_remedies_for_shapes_work(still, grey):
    for bad in (grey.reshape(37, 16), grey[..., 0], grey[0], grey.reshape(37, 1, 4, 4), np.repeat(grey, 3, -1)):
        with pytest.raises(ValueError, match=r"x has shape") as error:
            still.encode(bad)
        line = re.search(r"(numpy\.\w+\(x[^.]*\)|x\.\w+\([^)]*\)|x\[[^\]]*\])", str(error.value).partition("reads")[2])[
            0
        ]
        mended = eval(line, {"numpy": np, "x": bad})
        assert mended.shape[1:] == SHAPE, line
        still.encode(mended)


def batched(x):
    return tf.data.Dataset.from_tensor_slices(x).batch(16)


DATASETS = {
    "dictionary": (
        lambda x: batched({"image": x, "label": np.arange(37)}),
        r"dictionaries .*'image', 'label'.*dataset\.map",
    ),
    "single images": (lambda x: tf.data.Dataset.from_tensor_slices(x), r"single images.*dataset\.batch"),
    "no shapes": (
        lambda x: tf.data.Dataset.from_generator(lambda: iter(x), output_types="float32").batch(9),
        "output_signature",
    ),
    "colour": (lambda x: batched(np.repeat(x, 3, -1)), "grayscale"),
    "texts": (lambda x: batched(np.array(["a.png"] * 37)), "array of string"),
}


@pytest.mark.parametrize("make, message", DATASETS.values(), ids=DATASETS)
@pytest.mark.parametrize("use", ["fit", "evaluate", "encode"])
def test_datasets_that_cannot_be_used_are_refused_with_a_remedy(still, grey, use, make, message):
    with pytest.raises(ValueError, match=message):
        USES[use](still, make(grey))


def test_no_images_give_no_codes(still):
    nothing = np.zeros((0, *SHAPE), "float32")
    assert still.encode(nothing)[0].shape == (0, 2) and still.reconstruct(nothing).shape == (0, *SHAPE)
    assert vh.log_likelihood(still, nothing).shape == (0,)


def test_a_table_trains_too():
    table = np.random.default_rng(0).random((150, 4))
    x, z = keras.Input((4,)), keras.Input((2,))
    h = layers.Dense(16, "relu")(x)
    networks = keras.Model(x, [layers.Dense(2)(h), layers.Dense(2)(h)]), keras.Model(z, layers.Dense(4)(z))
    vae = vh.VAE(*networks, nll=vh.squared_error)
    vae.compile("adam")
    vae.fit(4 * table - 2, verbose=0)
    assert vae.reconstruct(table).shape == (150, 4) and vh.log_likelihood(vae, table, 5).shape == (150,)
    with pytest.raises(ValueError, match=r"shape \(150, 5\); this model reads \(batch, 4\)"):
        vae.fit(np.zeros((150, 5)))
    with pytest.raises(ValueError, match=r"must be \(batch, height, width, 1 or 3\)"):
        vh.plot_reconstructions(vae, table)


# Labels

NAMES = ("Anna", "Ben", "Cem")
NUMBERS = np.array([0, 2, 1, 2, 0])


class Series:
    """A pandas Series whose index is not 0, 1, 2, …"""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __getitem__(self, key):
        raise KeyError(key)

    def __len__(self):
        return len(self.values)

    def to_numpy(self):
        return self.values

    def __array__(self, dtype=None, copy=None):
        return self.values


LABELS = {
    "numbers": NUMBERS,
    "list": NUMBERS.tolist(),
    "floats": NUMBERS.astype("float32"),
    "(n, 1)": NUMBERS[:, None],
    "one-hot": np.eye(3)[NUMBERS],
    "one-hot, bool": np.eye(3, dtype=bool)[NUMBERS],
    "names": np.array(NAMES)[NUMBERS],
    "names, objects": np.array(NAMES, object)[NUMBERS],
    "list of names": [NAMES[i] for i in NUMBERS],
    "Series": Series(NUMBERS),
    "uint8": NUMBERS.astype("uint8"),
    "tensor": tf.constant(NUMBERS),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_come_in_many_forms(labels):
    names, indices = inputs.check_labels(labels, 5, NAMES)
    assert names == list(NAMES) and indices.dtype == np.int64
    np.testing.assert_array_equal(indices, NUMBERS)


def test_digits_may_be_texts_and_without_names_labels_name_themselves():
    np.testing.assert_array_equal(inputs.check_labels(["7", "3"], 2, "0123456789")[1], [7, 3])
    assert inputs.check_labels([5, 9, 5], 3)[0] == ["5", "9"]
    names, indices = inputs.check_labels([2.0, 1.0], 2)
    assert names == ["1", "2"] and indices.tolist() == [1, 0]


BAD_LABELS = {
    "negative": (NUMBERS - 1, "from -1 to 1"),
    "too large": (NUMBERS + 1, "from 1 to 3.*0 to 2"),
    "fractions": (NUMBERS / 4, "fractions, such as"),
    "unknown name": (["Anna", "Ben", "Eve", "Ben", "Cem"], "'Eve', which is none of class_names: Anna, Ben, Cem"),
    "not a number": (np.array([0, 1, np.nan, 1, 0]), "fractions, such as nan"),
    "too few": (NUMBERS[:4], r"\(4,\) for 5 images"),
    "soft": (np.full((5, 3), 1 / 3), "not one-hot"),
    "objects": (np.array([{}, 1, 2, 3, 4], object), "whole numbers or texts"),
}


@pytest.mark.parametrize("labels, message", BAD_LABELS.values(), ids=BAD_LABELS)
@pytest.mark.parametrize("figure", ["scatter", "clouds"])
def test_labels_that_cannot_be_used_are_refused(labels, message, figure):
    codes = np.zeros((5, 2))
    with pytest.raises(ValueError, match=message):
        if figure == "scatter":
            vh.plot_latent_scatter(codes, labels, NAMES)
        else:
            vh.plot_clouds(codes, codes, labels, class_names=NAMES)


def test_more_than_ten_classes_have_a_colour_each():
    ax = vh.plot_latent_scatter(np.random.default_rng(0).normal(size=(500, 2)), np.arange(500) % 25, range(25))
    assert len({tuple(color) for color in ax.collections[0].get_facecolors()}) == 25
    assert vh.plots.class_colors(10) == vh.plots.CLASS_COLORS


def test_clouds_have_the_colours_of_their_classes_whatever_the_index():
    ax = vh.plot_clouds(np.zeros((3, 2)), np.zeros((3, 2)), Series([4, 1, 4]))
    import matplotlib.colors as mc

    drawn = [mc.to_hex(patch.get_facecolor()).upper() for patch in ax.patches[1:]]
    assert drawn == [vh.plots.CLASS_COLORS[k].upper() for k in (4, 1, 4)]


# Pictures

PICTURES = {
    "logits": (np.linspace(-9, 3, 32), r"look like logits.*vae\.decode\(z\)"),
    "0 to 255": (np.linspace(0, 255, 32), "from 0 to 255.*divide by 255"),
    "whole numbers": (np.arange(0, 256, 8), "from 0 to 255.*divide by 255"),
    "-1 to 1": (np.linspace(-1, 1, 32), r"from -1 to 1.*\+ 1\) / 2"),
    "not finite": (np.where(np.arange(32) == 3, np.nan, 0.5), "not finite"),
    "texts": (np.array(["a"] * 32), "give numbers"),
}


@pytest.mark.parametrize("values, message", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("draw", ["plot_images", "rows", "mosaic", "save_gif"])
def test_what_is_no_picture_is_not_drawn(values, message, draw, tmp_path):
    images = values.reshape(2, 4, 4, 1)
    calls = {
        "plot_images": lambda: vh.plot_images(images),
        "rows": lambda: vh.plot_images([images, images]),
        "mosaic": lambda: vh.mosaic([images]),
        "save_gif": lambda: vh.save_gif(list(images), tmp_path / "a.gif"),
    }
    with pytest.raises(ValueError, match=message):
        calls[draw]()
    assert not list(tmp_path.iterdir())


def test_uint8_and_bool_are_drawn_as_what_they_mean():
    images = np.arange(32, dtype="uint8").reshape(2, 4, 4, 1) * 8
    shown = np.asarray(vh.plot_images(images).images[0].get_array())[:4, :4]
    np.testing.assert_allclose(shown, images[0, ..., 0] / 255, atol=1e-6)
    shown = np.asarray(vh.plot_images(images > 99).images[0].get_array())[:4, :4]
    np.testing.assert_allclose(shown, images[0, ..., 0] > 99)


def test_what_predict_returns_and_histories_and_axes(make_vae, grey):
    vae = make_vae()
    history = vae.fit(grey, verbose=0)
    with pytest.raises(ValueError, match=r"a dict, as predict returns it.*vae\.reconstruct"):
        vh.plot_images(vae.predict(grey, verbose=0))
    assert len(vh.plot_history(history.history)) == 3
    assert vh.as_frame(vh.plot_manifold(vae, n=3)).ndim == 3
    with pytest.raises(ValueError, match="Leave out the transparency"):
        vh.plot_images(np.zeros((2, 4, 4, 4)))


# Networks


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.head = layers.Flatten(), layers.Dense(2)

    def call(self, x):
        return self.head(self.flat(x)), self.head(self.flat(x))


def called(network):
    network(np.zeros((1, *SHAPE)))
    return network


def encoder(*shapes):
    images = [keras.Input(shape) for shape in shapes]
    h = (
        layers.Concatenate()([layers.Flatten()(image) for image in images])
        if len(images) > 1
        else layers.Flatten()(images[0])
    )
    return keras.Model(images if len(images) > 1 else images[0], [layers.Dense(2)(h), layers.Dense(2)(h)])


ENCODERS = {
    "subclass": (lambda: called(Subclass()), r"the encoder is a subclass, Subclass.*keras\.Model\(inputs, outputs\)"),
    "subclass, not called": (Subclass, r"the encoder is a subclass.*keras\.Model\(inputs, outputs\)"),
    "Sequential without input": (
        lambda: keras.Sequential([layers.Flatten(), layers.Dense(4)]),
        r"keras\.Input\(shape\)",
    ),
    "layer": (lambda: layers.Dense(2), "the encoder is a keras Dense"),
    "function": (lambda: lambda x: x, "the encoder is a function"),
    "nothing": (lambda: None, "the encoder is a NoneType"),
    "two inputs": (lambda: encoder(SHAPE, (10,)), "2 inputs.*lesson 08"),
    "sizes not fixed": (
        lambda: keras.Model(
            (i := keras.Input((None, None, 1))), [layers.Dense(2)(layers.GlobalAveragePooling2D()(i))] * 2
        ),
        "sizes that are not fixed",
    ),
    "heads that differ": (
        lambda: keras.Model((i := keras.Input(SHAPE)), [layers.Dense(n)(layers.Flatten()(i)) for n in (2, 3)]),
        r"shapes \[\(2,\), \(3,\)\]",
    ),
}


@pytest.mark.parametrize("make, message", ENCODERS.values(), ids=ENCODERS)
def test_encoders_that_cannot_be_used_are_refused_with_a_remedy(make, message):
    with pytest.raises(ValueError, match=message):
        vh.VAE(make(), vh.mlp_decoder(SHAPE, 2))


def decoder(end):
    z = keras.Input((2,))
    return keras.Model(z, end(layers.Dense(16)(z)))


SIGMOIDS = {
    "sigmoid": lambda h: layers.Reshape(SHAPE)(layers.Dense(16, "sigmoid")(h)),
    "convolution": lambda h: layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid")(
        layers.Reshape(SHAPE)(h)
    ),
    "tanh": lambda h: layers.Reshape(SHAPE)(layers.Dense(16, "tanh")(h)),
    "relu": lambda h: layers.Reshape(SHAPE)(layers.Dense(16, keras.activations.relu)(h)),
    "softmax": lambda h: layers.Reshape(SHAPE)(layers.Dense(16, "softmax")(h)),
    "activation layer": lambda h: layers.Reshape(SHAPE)(layers.Activation("sigmoid")(h)),
    "ReLU layer": lambda h: layers.Reshape(SHAPE)(layers.ReLU()(h)),
    "operation": lambda h: keras.ops.reshape(keras.ops.sigmoid(h), (-1, *SHAPE)),
    "nested": lambda h: keras.Sequential([keras.Input((16,)), layers.Dense(16, "sigmoid"), layers.Reshape(SHAPE)])(h),
}


@pytest.mark.parametrize("end", SIGMOIDS.values(), ids=SIGMOIDS)
def test_a_decoder_that_ends_in_a_sigmoid_is_refused_where_logits_are_read(end):
    for model, heads in ((vh.VAE, 2), (vh.Autoencoder, 1)):
        with pytest.raises(ValueError, match=r"the decoder ends in .*leave that activation out"):
            model(vh.mlp_encoder(SHAPE, 2, variational=heads == 2), decoder(end))
    vae = vh.VAE(vh.mlp_encoder(SHAPE, 2), decoder(end), nll=vh.squared_error)  # there it is the picture itself
    assert vae.sample(2).shape == (2, *SHAPE)


@pytest.mark.parametrize(
    "end", [lambda h: layers.Reshape(SHAPE)(h), lambda h: keras.ops.reshape(2 * h + 1, (-1, *SHAPE))]
)
def test_a_decoder_that_ends_in_any_number_is_taken(end):
    assert vh.VAE(vh.mlp_encoder(SHAPE, 2), decoder(end)).sample(2).shape == (2, *SHAPE)


def test_networks_of_legacy_keras_are_refused():
    legacy = pytest.importorskip("tf_keras", reason="tf_keras is not installed")
    image, z = legacy.Input(SHAPE), legacy.Input((2,))
    h = legacy.layers.Flatten()(image)
    encoder = legacy.Model(image, [legacy.layers.Dense(2)(h), legacy.layers.Dense(2)(h)])
    decoder = legacy.Model(z, legacy.layers.Reshape(SHAPE)(legacy.layers.Dense(16)(z)))
    with pytest.raises(ValueError, match="the encoder is a network of legacy Keras"):
        vh.VAE(encoder, decoder)
