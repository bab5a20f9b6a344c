"""Other likelihoods than coins, in the losses and in `VAE`; the Fréchet distance."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from scipy import integrate, linalg, stats

import vae_helpers as vh

LOGITS = np.array([-300, -80, -10, -3, -1, -0.301, -0.299, -0.1, -1e-3, -1e-7, 0], "float32")
LOGITS = np.concatenate([LOGITS, -LOGITS[:-1]])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def tfd():
    return pytest.importorskip("tensorflow_probability", reason="it is the oracle here").distributions


# The continuous Bernoulli


def test_the_continuous_bernoulli_is_that_of_tensorflow_probability(tfd):
    x, logits = (part.reshape(-1, 1) for part in np.meshgrid(np.linspace(0, 1, 11, dtype="float32"), LOGITS))
    oracle = -tfd.ContinuousBernoulli(logits=logits.astype("float64")).log_prob(x.astype("float64"))
    np.testing.assert_allclose(vh.continuous_bernoulli_nll(x, logits), oracle[:, 0], rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize("logit", [-30.0, -2.0, -0.2, 0.0, 1e-4, 0.29, 0.31, 7.0])
def test_the_density_of_the_continuous_bernoulli_has_the_area_one(logit):
    def density(x):
        return math.exp(-float(vh.continuous_bernoulli_nll(np.array([[x]]), np.array([[logit]]))[0]))

    assert integrate.quad(density, 0, 1, limit=200)[0] == pytest.approx(1, abs=1e-6)


def test_the_gradient_of_the_continuous_bernoulli_is_that_of_finite_differences():
    logits, h = LOGITS[np.abs(LOGITS) < 20].astype("float64"), 1e-5
    x = np.full_like(logits, 0.3)[:, None]

    def nll(logits):
        return vh.continuous_bernoulli_nll(x, logits[:, None])

    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        total = ops.sum(nll(variable))
    differences = (nll(logits + h) - nll(logits - h)) / (2 * h)
    np.testing.assert_allclose(tape.gradient(total, variable), differences, atol=1e-6)


def test_values_and_gradients_of_the_continuous_bernoulli_are_finite_for_any_logit():
    logits = tf.Variable([[-1e30, -1e4, 0.0, 1e-38, 1e4, 1e30]])
    with tf.GradientTape() as tape:
        nll = vh.continuous_bernoulli_nll(np.full((1, 6), 0.5, "float32"), logits)
    assert np.isfinite(nll).all() and np.isfinite(tape.gradient(nll, logits)).all()


def test_the_continuous_bernoulli_sums_over_all_axes_but_the_first(rng, grey):
    logits = rng.normal(size=grey.shape).astype("float32")
    found = vh.continuous_bernoulli_nll(grey, logits)
    assert found.shape == (37,)
    pixels = [vh.continuous_bernoulli_nll(grey[:, [i], [j]], logits[:, [i], [j]]) for i in range(4) for j in range(4)]
    np.testing.assert_allclose(found, sum(pixels), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bad, message", [(1.5, r"\[0, 1\]"), (np.nan, "finite")])
def test_the_continuous_bernoulli_refuses_what_the_bernoulli_refuses(bad, message):
    with pytest.raises(ValueError, match=message):
        vh.continuous_bernoulli_nll(np.full((2, 3), bad, "float32"), np.zeros((2, 3), "float32"))
    with pytest.raises(ValueError, match="one logit per pixel"):
        vh.continuous_bernoulli_nll(np.zeros((2, 3), "float32"), np.zeros((2, 4), "float32"))


# The normal distribution


@pytest.mark.parametrize("shape", [(), (4, 4, 1), (37, 1, 1, 1), (37, 4, 4, 1)])
def test_gaussian_nll_is_that_of_scipy_for_every_shape_of_log_var(rng, grey, shape):
    mean, log_var = rng.normal(size=grey.shape), rng.normal(size=shape)
    oracle = -stats.norm(mean, np.exp(0.5 * log_var)).logpdf(grey).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(vh.gaussian_nll(grey, mean, log_var), oracle, rtol=1e-5)


def test_gaussian_nll_is_that_of_tensorflow_probability(rng, grey, tfd):
    mean = rng.normal(size=grey.shape).astype("float32")
    oracle = -np.sum(tfd.Normal(mean, np.float32(0.1)).log_prob(grey), axis=(1, 2, 3))
    np.testing.assert_allclose(vh.gaussian_nll(grey, mean, 2 * math.log(0.1)), oracle, rtol=1e-5)


def test_squared_error_is_gaussian_nll_with_the_variance_one_half_but_for_a_constant(rng, grey):
    mean = rng.normal(size=grey.shape).astype("float32")
    difference = vh.gaussian_nll(grey, mean, math.log(0.5)) - vh.squared_error(grey, mean)
    np.testing.assert_allclose(difference, 8 * math.log(math.pi), rtol=1e-4)


def test_gaussian_nll_refuses_means_of_another_shape(grey):
    with pytest.raises(ValueError, match=r"\(37, 4, 4, 1\).*mean \(37, 16\).*one mean per pixel"):
        vh.gaussian_nll(grey, grey.reshape(37, 16), 0.0)


# A VAE with another likelihood


@vh.likelihood(mean=ops.sigmoid)
def half_variance(x, logits):
    return vh.gaussian_nll(x, ops.sigmoid(logits), math.log(0.5))


@pytest.mark.parametrize("nll", [vh.continuous_bernoulli_nll, half_variance])
def test_the_loss_is_the_chosen_nll_plus_kl(make_vae, grey, nll):
    vae = make_vae(nll=nll)
    scores = vae.evaluate(grey, verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(scores["reconstruction"] + scores["kl"], rel=1e-5)
    vae.reseed(0)
    expected = np.mean(nll(grey, vae(grey)["logits"]))
    vae.reseed(0)
    assert vae.evaluate(grey, batch_size=37, verbose=0, return_dict=True)["reconstruction"] == pytest.approx(expected)


def test_training_lowers_the_chosen_loss(make_vae, grey):
    vae = make_vae(nll=half_variance)
    losses = vae.fit(grey, epochs=5, batch_size=37, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_without_a_choice_it_is_the_bernoulli(make_vae, binary):
    a, b = make_vae(), make_vae(nll=vh.bernoulli_nll)
    b.set_weights(a.get_weights())
    scores = [vae.reseed(0) or vae.evaluate(binary, verbose=0) for vae in (a, b)]
    assert scores[0] == scores[1]


def test_log_likelihood_uses_the_likelihood_of_the_model(make_vae, grey):
    vae = make_vae(nll=half_variance)
    vae.encoder.get_layer("log_var").bias.assign([2.0, 2.0])  # wider than the prior, so that no weight is huge
    z = np.random.default_rng(0).normal(size=(200_000, 2)).astype("float32")
    logits = vae.decoder.predict(z, batch_size=20_000, verbose=0)
    for image in grey[:3]:  # plain Monte Carlo from the prior: no encoder, no weights
        log_px = -np.array(half_variance(np.broadcast_to(image, logits.shape), logits), "float64")
        expected = np.log(np.mean(np.exp(log_px)))
        assert vh.log_likelihood(vae, image[None], samples=20_000)[0] == pytest.approx(expected, abs=0.04)


def test_a_likelihood_of_the_package_is_saved_with_the_model(make_vae, grey, tmp_path):
    vae = make_vae(nll=vh.continuous_bernoulli_nll)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    assert loaded.nll is vh.continuous_bernoulli_nll
    np.testing.assert_allclose(vh.log_likelihood(loaded, grey, 5), vh.log_likelihood(vae, grey, 5), rtol=1e-5)


def test_a_registered_function_is_saved_with_the_model(make_vae, tmp_path):
    registered = keras.saving.register_keras_serializable(package="test")(half_variance)
    make_vae(nll=registered).save(tmp_path / "vae.keras")
    assert keras.models.load_model(tmp_path / "vae.keras").nll is registered


def unregistered(x, logits):
    return vh.bernoulli_nll(x, logits)


class Unregistered(keras.layers.Layer):
    def call(self, x, logits):
        return vh.bernoulli_nll(x, logits)


UNREGISTERED = {
    "function": lambda: unregistered,
    "lambda": lambda: lambda x, logits: vh.bernoulli_nll(x, logits),
    "layer": Unregistered,
    "partial": lambda: functools.partial(vh.gaussian_nll, log_var=-3.0),
}


@pytest.mark.parametrize("save", ["save", "save_model", "checkpoint"])
@pytest.mark.parametrize("make", UNREGISTERED.values(), ids=UNREGISTERED)
def test_what_could_not_be_loaded_is_not_saved(make_vae, grey, tmp_path, make, save):
    nll = make()
    vae = make_vae(nll=nll if isinstance(nll, functools.partial) else vh.likelihood(mean=ops.sigmoid)(nll))
    path = tmp_path / "vae.keras"
    uses = {
        "save": lambda: vae.save(path),
        "save_model": lambda: keras.saving.save_model(vae, path),
        "checkpoint": lambda: vae.fit(grey, verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(path)]),
    }
    with pytest.raises(ValueError, match=r"nll is .*register_keras_serializable"):
        uses[save]()
    if save != "save_model":  # Keras's own function has opened the file by then
        assert not list(tmp_path.iterdir())


# What a likelihood draws


def test_the_mean_of_the_continuous_bernoulli_agrees_with_quadrature():
    x, logits = np.linspace(0, 1, 20_001), np.array([-30.0, -2, -0.11, -0.09, -1e-4, 0, 1e-4, 0.09, 0.11, 2, 30])
    density = np.exp(x * logits[:, None])
    expected = np.trapezoid(x * density, x) / np.trapezoid(density, x)
    np.testing.assert_allclose(vh.continuous_bernoulli_nll.mean(logits), expected, atol=1e-6)


GAUSSIAN = functools.partial(vh.gaussian_nll, log_var=-3.0)
ITSELF = {"squared_error": vh.squared_error, "gaussian": GAUSSIAN}


@pytest.mark.parametrize("nll", ITSELF.values(), ids=ITSELF)
def test_where_the_decoder_gives_the_mean_itself_it_is_drawn_as_it_is(make_vae, grey, nll):
    vae = make_vae(nll=nll)
    expected = np.array(vae.decoder(vae.encode(grey)[0]))
    assert expected.min() < 0
    np.testing.assert_allclose(vae.reconstruct(grey), expected, atol=1e-6)
    np.testing.assert_allclose(vae.decode(vae.encode(grey)[0]), expected, atol=1e-6)
    assert vae.sample(50, seed=0).min() < 0


@pytest.mark.parametrize("nll", ITSELF.values(), ids=ITSELF)
def test_values_without_bounds_train_where_the_likelihood_allows_them(make_vae, grey, nll):
    vae = make_vae(nll=nll, optimizer=keras.optimizers.Adam(0.01))
    scores = 30 * grey - 7
    losses = vae.fit(scores, epochs=3, verbose=0, validation_data=scores).history["loss"]
    assert losses[-1] < losses[0]
    assert vh.log_likelihood(vae, scores, 5).shape == (37,)
    with pytest.raises(ValueError, match="finite"):
        vae.fit(np.where(grey == grey[3, 2, 1, 0], np.nan, scores))


def test_the_continuous_bernoulli_draws_its_mean(make_vae, grey):
    vae = make_vae(nll=vh.continuous_bernoulli_nll)
    logits = vae.decoder(vae.encode(grey)[0])
    np.testing.assert_allclose(vae.reconstruct(grey), vh.continuous_bernoulli_nll.mean(logits), atol=1e-6)


def test_a_likelihood_that_does_not_say_its_mean_is_refused_with_what_to_write(make_vae, grey):
    with pytest.raises(ValueError, match=r"my_nll.*@vh\.likelihood\(mean=.*functools\.partial\(vh\.gaussian_nll"):

        def my_nll(x, mean):
            return vh.gaussian_nll(x, mean, -3.0)

        make_vae(nll=my_nll)
    vae = make_vae(nll=vh.likelihood(mean=lambda mean: mean)(my_nll))
    assert np.isfinite(vae.evaluate(grey, verbose=0)).all()
    with pytest.raises(ValueError, match=r"\[0, 1\]"):  # the range is that of pixels, unless one says otherwise
        vae.evaluate(grey - 2, verbose=0)


def test_a_config_from_before_there_was_a_choice_means_the_bernoulli(make_vae):
    config = make_vae().get_config()
    del config["nll"]
    assert vh.VAE.from_config(config).nll is vh.bernoulli_nll


def test_a_likelihood_that_does_not_sum_over_the_pixels_is_refused_with_a_remedy(make_vae, grey):
    vae = make_vae(nll=vh.likelihood(mean=ops.sigmoid)(lambda x, logits: (x - logits) ** 2))
    with pytest.raises(ValueError, match=r"nll gives an array of shape .*4, 4, 1.*sum over height, width and channels"):
        vae.evaluate(grey, verbose=0)


def test_something_else_than_a_function_is_refused(make_vae):
    with pytest.raises(ValueError, match="nll is 'gaussian'; it must be a function"):
        make_vae(nll="gaussian")


# The Fréchet distance


def test_the_frechet_distance_is_that_of_scipys_matrix_root(rng):
    a, b = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=(300, 4)) + 1
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(cov_a @ cov_b).real
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(cov_a + cov_b - 2 * root)
    assert vh.frechet_distance(a, b) == pytest.approx(expected)
    assert vh.frechet_distance(b, a) == pytest.approx(expected)
    assert vh.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_features_that_are_always_zero_do_no_harm(rng):
    a = np.concatenate([rng.normal(size=(50, 3)), np.zeros((50, 2))], axis=1)
    assert vh.frechet_distance(a, a + np.eye(5)[0]) == pytest.approx(1, abs=1e-6)
