"""Encoder and decoder in the page: which it takes, how it rounds them, and that it computes what Keras does."""

import json
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from explorer_pages import BROWSERS, COLOR, GREY, data_of, images_for, open_browser, small_vae, visits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

import vae_helpers as vh
from vae_helpers import explorer_networks
from vae_helpers.explorer import latent_explorer

SCRIPTS = Path(vh.__file__).parent
ACTIVATIONS = ("linear", "relu", "sigmoid", "tanh", "elu", "gelu", "silu", "softplus", "leaky_relu")


# Which networks


def encoder_with(layer, shape=(8, 8, 1)):
    """An encoder with this layer between image and heads."""
    image = keras.Input(shape)
    x = layers.Flatten()(layer(image))
    return keras.Model(image, [layers.Dense(2)(x), layers.Dense(2)(x)], name="encoder")


UNSUPPORTED = {
    "normalization": (layers.BatchNormalization(name="norm"), r"its layer norm \(BatchNormalization\)"),
    "pooling": (layers.MaxPooling2D(name="pool"), r"its layer pool \(MaxPooling2D\)"),
    "dilation": (layers.Conv2D(3, 3, dilation_rate=2, name="wide"), r"its layer wide \(Conv2D\)"),
    "groups": (layers.Conv2D(4, 3, groups=1, name="c", activation="selu"), "its layer c has an activation"),
    "softmax": (layers.Activation("softmax", name="s"), "its layer s has an activation"),
    "leaky ReLU": (layers.LeakyReLU(name="leaky"), r"its layer leaky \(LeakyReLU\)"),
    "limited ReLU": (layers.ReLU(6.0, name="r"), "its layer r has an activation"),
    "own function": (layers.Activation(lambda x: 2 * x, name="own"), "its layer own has an activation"),
    "own layer": (type("Own", (layers.Dense,), {})(3, name="mine"), r"its layer mine \(Own\)"),
}


@pytest.mark.parametrize("layer, why", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_another_layer_keeps_the_atlas_and_the_page_says_why(layer, why):
    encoder = encoder_with(layer)
    with pytest.raises(explorer_networks.CannotRunError, match=why) as error:
        explorer_networks.read(encoder)
    data = data_of(latent_explorer(vh.VAE(encoder, vh.mlp_decoder((8, 8, 1), 2, (8,)))).page)
    assert "atlas" in data and "networks" not in data and data["why"] == str(error.value)


def test_two_branches_and_a_layer_used_twice_keep_the_atlas():
    shortcut = vh.residual_encoder((8, 8, 1), 2, filters=(4,), blocks=1)
    with pytest.raises(explorer_networks.CannotRunError, match="joins 2 tensors"):
        explorer_networks.read(shortcut)
    image, twice = keras.Input((3, 3, 1)), layers.Dense(9)
    x = twice(twice(layers.Flatten()(image)))
    with pytest.raises(explorer_networks.CannotRunError, match="used twice"):
        explorer_networks.read(keras.Model(image, [layers.Dense(2)(x), layers.Dense(2)(x)]))


@pytest.mark.parametrize("name, why", [("_LARGEST", "weights, too many"), ("_SLOWEST", "multiplications")])
def test_networks_that_are_too_large_or_slow_keep_the_atlas(monkeypatch, name, why):
    monkeypatch.setattr(explorer_networks, name, 100)
    data = data_of(latent_explorer(small_vae(GREY, 2)).page)
    assert "atlas" in data and why in data["why"]


def test_the_model_itself_is_left_as_it_was():
    vae = small_vae(GREY, 2)
    before = [weight.copy() for weight in vae.get_weights()]
    latent_explorer(vae, images_for(GREY))
    for a, b in zip(before, vae.get_weights()):
        np.testing.assert_array_equal(a, b)


# Rounding


def test_small_kernels_keep_16_bits():
    vae = small_vae(GREY, 2)
    network = explorer_networks.read(vae.encoder)
    explorer_networks.round_weights(network, images_for(GREY), lambda outputs: pytest.fail("was judged"))
    for true, rounded in zip(vae.encoder.get_weights(), network.twin.get_weights()):
        assert np.abs(true - rounded).max() <= np.abs(true).max() / 2**15


def test_errors_are_made_good_where_inputs_vary_together():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 100)) + 0.01 * rng.normal(size=(500, 100))
    rows = rng.normal(size=(100, 50))
    multiples, sizes = explorer_networks._round_with_feedback(rows, inputs, inputs, 0.25)
    assert multiples.dtype.kind == "i" and sizes.shape == (100,) and sizes.min() >= 0.249
    plain = np.rint(rows / 0.25) * 0.25
    error, plain_error = (np.square(inputs @ (rows - near)).mean() for near in (multiples * sizes[:, None], plain))
    assert error < 0.1 * plain_error


def test_rounding_goes_on_until_the_results_are_near_enough(monkeypatch):
    monkeypatch.setattr(explorer_networks, "_SMALL", {"dense": 0})
    vae = small_vae((16, 16, 1), 2, 1.0)
    network = explorer_networks.read(vae.decoder)
    z = np.random.default_rng(0).normal(size=(200, 2)).astype("float32")
    (true,) = explorer_networks.run(vae.decoder, z)
    errors = []

    def error(outputs):
        errors.append(np.abs(outputs[0] - true).max() / 1e-4)
        return errors[-1]

    explorer_networks.round_weights(network, z, error)
    assert errors[0] > 1 and np.abs(explorer_networks.run(network.twin, z)[0] - true).max() < 1e-4


def test_units_that_matter_little_are_rounded_more_coarsely(monkeypatch):
    monkeypatch.setattr(explorer_networks, "_SMALL", {"dense": 0})
    z = keras.Input((2,))
    hidden = layers.Dense(6, activation="tanh", name="hidden")(z)
    network = keras.Model(z, layers.Dense(4, name="out")(hidden))
    through = network.get_layer("out").kernel
    through.assign(np.array([1, 0.5, 0.1, 0, 1, 1])[:, None] * np.sign(through))
    read = explorer_networks.read(network)
    x = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")
    of_hidden, of_out = explorer_networks._weigh_units(read, x, np.array([1, 1, 1, 0.25]))
    np.testing.assert_allclose(of_hidden, [1, 0.5, 0.1, 1 / 16, 1, 1], rtol=1e-5)
    np.testing.assert_allclose(of_out, [1, 1, 1, 0.25], rtol=1e-5)
    explorer_networks.round_weights(read, x, lambda outputs: 0)
    errors = np.abs(read.twin.get_layer("hidden").kernel - network.get_layer("hidden").kernel)
    assert errors.max() < 0.1


# The page against Keras


def forward_in_node(data, encoder_inputs, decoder_inputs):
    """The outputs of both networks, by the page's own script in Node: (a list of arrays, an array)."""
    program = "\n".join(
        [
            (SCRIPTS / "explorer_network.js").read_text(encoding="utf-8"),
            """const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
            unpack(given.networks.weights).then((bytes) => {
              const { encoder, decoder } = given.networks;
              readWeights([encoder, decoder], bytes);
              const runOne = (network, x) => runNetwork(network, Float32Array.from(x)).map((y) => [...y]);
              const run = (network, inputs) => inputs.map((x) => runOne(network, x));
              console.log(JSON.stringify([run(encoder, given.images), run(decoder, given.codes)]));
            });""",
        ]
    )
    given = {
        "networks": data["networks"],
        "images": np.reshape(encoder_inputs, (len(encoder_inputs), -1)).tolist(),
        "codes": np.asarray(decoder_inputs, float).tolist(),
    }
    process = subprocess.run(
        ["node", "-e", program], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    encoded, decoded = json.loads(process.stdout)
    return [np.array(values) for values in zip(*encoded)], np.array([one[0] for one in decoded])


needs_node = pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")

convolutions = st.fixed_dictionaries(
    {
        "filters": st.integers(1, 5),
        "kernel_size": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "strides": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "padding": st.sampled_from(["same", "valid"]),
        "activation": st.sampled_from(ACTIVATIONS),
        "use_bias": st.booleans(),
    }
)


@st.composite
def networks(draw):
    """A random encoder and decoder of all supported layers, with random weights and biases."""
    shape = (draw(st.integers(4, 9)), draw(st.integers(4, 9)), draw(st.sampled_from([1, 3])))
    latent_dim = draw(st.integers(2, 4))
    image, z = keras.Input(shape), keras.Input((latent_dim,))
    x = image
    for options in draw(st.lists(convolutions, max_size=2)):
        if options["padding"] == "same" or all(np.array(x.shape[1:3]) >= options["kernel_size"]):
            x = layers.Conv2D(**options)(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Dense(draw(st.integers(1, 6)), activation=draw(st.sampled_from(ACTIVATIONS)))(layers.Flatten()(x))
    x = draw(st.sampled_from([layers.ReLU, layers.ELU]))()(x)
    encoder = keras.Model(image, [layers.Dense(latent_dim)(x), layers.Dense(latent_dim)(x)])
    small = (draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 4)))
    y = layers.Reshape(small)(layers.Dense(int(np.prod(small)))(z))
    y = layers.Activation(draw(st.sampled_from(ACTIVATIONS)))(y)
    for options in draw(st.lists(convolutions, min_size=1, max_size=2)):
        y = layers.Conv2DTranspose(**options)(y)
    y = layers.Dense(int(np.prod(shape)))(layers.Flatten()(y))
    decoder = keras.Model(z, layers.Reshape(shape)(y))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for network in (encoder, decoder):
        network.set_weights([rng.normal(0, 0.5, w.shape) for w in network.get_weights()])
    return encoder, decoder


def assert_page_computes_like_keras(networks, forward):
    encoder, _ = networks
    rng = np.random.default_rng(0)
    images, codes = (
        rng.random((5, *encoder.input_shape[1:]), dtype="float32"),
        rng.normal(size=(5, encoder.outputs[0].shape[1])),
    )
    read = [explorer_networks.read(network) for network in networks]
    for network, x in zip(read, (images, codes)):
        explorer_networks.round_weights(network, x, None)
    data = {
        "networks": {
            "encoder": read[0].for_page(),
            "decoder": read[1].for_page(),
            "weights": explorer_networks.pack(read),
        }
    }
    (mean, log_var), outputs = forward(data, images, codes)
    for got, network, x in ((mean, read[0], images), (outputs, read[1], codes)):
        expected = explorer_networks.run(network.twin, x.astype("float32"))[0].reshape(5, -1)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * max(1, np.abs(expected).max()))
        true = explorer_networks.run(network.true, x.astype("float32"))[0].reshape(5, -1)
        np.testing.assert_allclose(got, true, atol=2e-3 * max(1, np.abs(true).max()))
    assert log_var.shape == mean.shape


@needs_node
def test_padding_that_is_uneven_lies_where_tensorflow_puts_it():
    """A row more on one side than on the other, in both kinds of convolution."""
    image, z = keras.Input((8, 6, 1)), keras.Input((2,))
    x = layers.Flatten()(layers.Conv2D(3, (3, 4), strides=2, padding="same")(image))
    encoder = keras.Model(image, [layers.Dense(2)(x), layers.Dense(2)(x)])
    y = layers.Reshape((4, 3, 2))(layers.Dense(24)(z))
    decoder = keras.Model(z, layers.Conv2DTranspose(1, (3, 4), strides=2, padding="same")(y))
    assert_page_computes_like_keras((encoder, decoder), forward_in_node)


@needs_node
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(networks())
def test_random_networks_compute_as_in_keras(networks):
    assert_page_computes_like_keras(networks, forward_in_node)


# In the browsers


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request, tmp_path_factory):
    with open_browser(request.param, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def visit(browser):
    with visits(browser, None) as visit:
        yield visit


def forward_in_page(page):
    def forward(data, images, codes):
        given = [data["networks"], np.reshape(images, (len(images), -1)).tolist(), np.asarray(codes, float).tolist()]
        encoded, decoded = page.evaluate(
            """async ([networks, images, codes]) => {
              readWeights([networks.encoder, networks.decoder], await unpack(networks.weights));
              const runOne = (network, x) => runNetwork(network, Float32Array.from(x)).map((y) => [...y]);
              const run = (network, inputs) => inputs.map((x) => runOne(network, x));
              return [run(networks.encoder, images), run(networks.decoder, codes)];
            }""",
            given,
        )
        return [np.array(values) for values in zip(*encoded)], np.array([one[0] for one in decoded])

    return forward


def test_random_networks_compute_as_in_keras_in_a_browser(visit, tmp_path):
    page = visit(latent_explorer(small_vae(GREY, 2)).save(tmp_path / "page.html"))

    @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(networks())
    def compare(networks):
        assert_page_computes_like_keras(networks, forward_in_page(page))

    compare()


MODELS = {
    "mlp": lambda: small_vae((28, 28, 1), 2),
    "colour": lambda: small_vae(COLOR, 4),
    "convolutions": lambda: vh.VAE(vh.conv_encoder((28, 28, 1), 2), vh.conv_decoder((28, 28, 1), 2)),
    "autoencoder": lambda: small_vae(GREY, 3, kind=vh.Autoencoder),
    "autoencoder in nats": lambda: small_vae(GREY, 2, kind=vh.Autoencoder, reconstruction="bernoulli"),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_page_encodes_decodes_and_counts_as_the_model(visit, model, tmp_path):
    vae = model()
    images, codes = images_for(vae.image_shape, 50), np.random.default_rng(1).normal(size=(50, vae.latent_dim))
    page = visit(latent_explorer(vae, images).save(tmp_path / "page.html"))
    encoded, decoded, costs = page.evaluate(
        """([images, codes]) => [
          images.map((x) => explorer.encode(x)).map(({ mean, logVar }) => [mean, logVar ?? []].map((y) => [...y])),
          codes.map((z) => [...explorer.decode(z)]),
          images.map((x, k) => explorer.cost(x, codes[k])),
        ]""",
        [images.reshape(50, -1).tolist(), codes.tolist()],
    )
    expected = vae.encode(images)
    expected = [np.asarray(values) for values in (expected if isinstance(vae, vh.VAE) else [expected])]
    for got, true in zip(zip(*encoded), expected):
        assert np.abs(np.array(got) - true).max() < 0.01 * true.std()
    assert np.abs(np.array(decoded) - np.asarray(vae.decode(codes)).reshape(50, -1)).max() < 1 / 255
    logits = explorer_networks.run(vae.decoder, codes.astype("float32"))[0]
    in_nats = getattr(vae, "reconstruction", "bernoulli") == "bernoulli"
    loss = vh.bernoulli_nll(images, logits) if in_nats else vh.squared_error(images, vae.decode(codes))
    np.testing.assert_allclose(costs, np.asarray(loss), atol=0.1)


def test_another_likelihood_has_kl_alone(visit, tmp_path):
    vae = small_vae(GREY, 2, nll=vh.continuous_bernoulli_nll)
    explorer = latent_explorer(vae, images_for(GREY))
    data = data_of(explorer.page)
    if "networks" not in data:
        assert "mean that the page cannot compute" in data["why"]
        return
    page = visit(explorer.save(tmp_path / "page.html"))
    page.locator("#strip button").first.click()
    assert "not its likelihood" in page.inner_text("#verdict")
    assert page.locator(".fit").count() == 0 and page.locator(".bar .kl").count() == 1


def test_the_medians_are_those_of_the_model():
    vae = small_vae(GREY, 2)
    images = (images_for(GREY) > 0.5).astype("float32")
    data = data_of(latent_explorer(vae, images).page)
    mean, log_var = map(np.asarray, vae.encode(images))
    fit = vh.bernoulli_nll(images, explorer_networks.run(vae.decoder, mean)[0])
    kl = vh.gaussian_kl(mean, log_var)
    assert data["median"]["loss"] == pytest.approx(np.median(fit + kl), abs=0.01)
    assert data["median"]["kl"] == pytest.approx(np.median(kl), abs=0.01)
    assert data["median"]["sampled"] != data["median"]["loss"]
    assert data["binary"] is True and data_of(latent_explorer(vae, images_for(GREY)).page)["binary"] is False
    assert sorted(data["byKl"]) == [0, 1]
