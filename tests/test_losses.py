"""The losses against TensorFlow Probability, against numpy in float64, and at extreme values."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from hypothesis.extra.numpy import arrays as drawn

import vae_helpers as vh

modest = settings(max_examples=50, deadline=None, derandomize=True)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def normal(rng, *shape):
    return rng.normal(size=shape).astype("float32")


# TensorFlow Probability


@pytest.fixture(scope="session")
def tfd():
    return pytest.importorskip("tensorflow_probability", reason="TensorFlow Probability is not installed").distributions


def tfd_normal(tfd, mean, log_var):
    return tfd.MultivariateNormalDiag(mean, np.exp(log_var / 2))


@pytest.mark.parametrize("latent_dim", [1, 2, 10])
def test_kl_agrees_with_tensorflow_probability(tfd, rng, latent_dim):
    mean, log_var = normal(rng, 20, latent_dim), normal(rng, 20, latent_dim)
    prior = tfd_normal(tfd, np.zeros_like(mean), np.zeros_like(mean))
    expected = tfd.kl_divergence(tfd_normal(tfd, mean, log_var), prior)
    np.testing.assert_allclose(vh.gaussian_kl(mean, log_var), expected, rtol=1e-5)


@pytest.mark.parametrize("latent_dim", [1, 2, 10])
def test_gaussian_log_prob_agrees_with_tensorflow_probability(tfd, rng, latent_dim):
    z, mean, log_var = (normal(rng, 20, latent_dim) for _ in range(3))
    expected = tfd_normal(tfd, mean, log_var).log_prob(z)
    np.testing.assert_allclose(vh.gaussian_log_prob(z, mean, log_var), expected, rtol=1e-4)


def test_bernoulli_nll_agrees_with_tensorflow_probability(tfd, rng):
    x, logits = (normal(rng, 5, 28, 28, 1) > 0).astype("float32"), 3 * normal(rng, 5, 28, 28, 1)
    expected = -tfd.Independent(tfd.Bernoulli(logits), 3).log_prob(x)
    np.testing.assert_allclose(vh.bernoulli_nll(x, logits), expected, rtol=1e-5)


# Extreme values, against numpy in float64


@st.composite
def groups(draw, *ranges, min_dims=2, max_dims=2):
    """Float32 arrays of one shape: one array for each (low, high), or for each list of values."""
    shape = draw(array_shapes(min_dims=min_dims, max_dims=max_dims, max_side=5))
    return tuple(
        draw(drawn("float32", shape, elements=st.floats(*r, width=32) if isinstance(r, tuple) else st.sampled_from(r)))
        for r in ranges
    )


def value_and_gradients(loss, *inputs):
    """The loss of each example, and the gradient of their sum with respect to each input."""
    inputs = [tf.constant(value) for value in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = loss(*inputs)
    return value.numpy(), [gradient.numpy() for gradient in tape.gradient(value, inputs)]


def one(*values):
    """For @example: 1 × 1 arrays."""
    return tuple(np.full((1, 1), value, "float32") for value in values)


@modest
@given(groups((-1e3, 1e3), (-60, 60)))
@example(one(0, 60))
@example(one(0, -60))
@example(one(1e3, 0))
@example(one(0, 1e-4))
@example(one(0, -1e-4))
def test_kl_and_its_gradient_at_any_mean_and_log_var(inputs):
    kl, (by_mean, by_log_var) = value_and_gradients(vh.gaussian_kl, *inputs)
    mean, log_var = (value.astype("float64") for value in inputs)
    assert kl.shape == mean.shape[:1]
    assert np.isfinite(kl).all() and (kl >= 0).all()
    np.testing.assert_allclose(kl, 0.5 * (mean**2 + np.expm1(log_var) - log_var).sum(-1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_mean, mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(by_log_var, np.expm1(log_var) / 2, rtol=1e-5, atol=1e-6)


@modest
@given(groups((-1e3, 1e3), (-1e3, 1e3), (-60, 60)))
def test_gaussian_log_prob_at_any_mean_and_log_var(inputs):
    log_prob, gradients = value_and_gradients(vh.gaussian_log_prob, *inputs)
    z, mean, log_var = (value.astype("float64") for value in inputs)
    assert np.isfinite(log_prob).all() and all(np.isfinite(gradient).all() for gradient in gradients)
    expected = -0.5 * (math.log(2 * math.pi) + log_var + (z - mean) ** 2 / np.exp(log_var)).sum(-1)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-4, atol=1e-3)


def check_nll(x, logits):
    nll, (by_logits,) = value_and_gradients(lambda free: vh.bernoulli_nll(x, free), logits)
    x, logits = x.astype("float64"), logits.astype("float64")
    pixels = tuple(range(1, x.ndim))
    size = np.abs(logits).sum(pixels)
    assert nll.shape == x.shape[:1]
    assert np.isfinite(nll).all()
    expected = (np.logaddexp(0, logits) - x * logits).sum(pixels)
    assert (np.abs(nll - expected) <= 1e-6 * (size + expected + 1)).all()
    sigmoid = np.exp(-np.logaddexp(0, -logits))
    np.testing.assert_allclose(by_logits, sigmoid - x, atol=1e-6)
    return nll


@modest
@given(groups([0, 1], (-1e4, 1e4), max_dims=4))
@example(one(1, 0))
@example(one(0, 0))
@example(one(1, -1e4))
@example(one(0, 1e4))
def test_nll_of_binary_pixels_at_any_logit(inputs):
    assert (check_nll(*inputs) >= 0).all()


@modest
@given(groups((0, 1), (-1e4, 1e4), max_dims=4))
@example(one(0.5, 0))
def test_nll_of_grey_pixels_at_any_logit(inputs):
    check_nll(*inputs)


# What the numbers mean


def test_kl_of_equal_distributions_is_exactly_zero():
    kl, gradients = value_and_gradients(vh.gaussian_kl, np.zeros((3, 4), "float32"), np.zeros((3, 4), "float32"))
    assert not kl.any() and not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("step", [1e-3, 1e-2])
def test_kl_keeps_its_digits_close_to_the_prior(step):
    zero = np.zeros((1, 1), "float32")
    assert float(vh.gaussian_kl(zero, zero + np.float32(step))[0]) == pytest.approx(step**2 / 4, rel=step)


def test_certain_and_right_pixels_cost_nothing(rng):
    x = (normal(rng, 3, 4, 4, 1) > 0).astype("float32")
    assert not np.any(vh.bernoulli_nll(x, np.where(x > 0, 1e4, -1e4).astype("float32")))


def test_logits_of_zero_cost_one_bit_per_pixel(rng):
    x = rng.random((3, 28, 28, 1)).astype("float32")
    np.testing.assert_allclose(vh.bernoulli_nll(x, np.zeros_like(x)), 784 * math.log(2), rtol=1e-5)


def test_grey_pixels_cost_at_least_their_entropy():
    x = np.full((1, 1), 0.3, "float32")
    nll = vh.bernoulli_nll(x, np.log(x / (1 - x)))
    assert float(nll[0]) == pytest.approx(-0.3 * math.log(0.3) - 0.7 * math.log(0.7), rel=1e-5)


def test_log_prob_at_the_mean_of_the_prior():
    zero = np.zeros((1, 10), "float32")
    assert float(vh.gaussian_log_prob(zero, zero, zero)[0]) == pytest.approx(-5 * math.log(2 * math.pi))


@pytest.mark.parametrize("mean, log_var", [(0, 0), (3, -4), (-2, 2.5)])
def test_the_density_integrates_to_one_and_gives_the_kl(mean, log_var):
    std = math.exp(log_var / 2)
    z = np.linspace(mean - 12 * std, mean + 12 * std, 4001)[:, None]
    log_q = vh.gaussian_log_prob(z, np.full((1, 1), mean, float), np.full((1, 1), log_var, float)).numpy()
    log_p = vh.gaussian_log_prob(z, np.zeros((1, 1)), np.zeros((1, 1))).numpy()
    assert np.trapezoid(np.exp(log_q), z[:, 0]) == pytest.approx(1, abs=1e-9)
    kl = float(vh.gaussian_kl(np.full((1, 1), mean, float), np.full((1, 1), log_var, float))[0])
    assert np.trapezoid(np.exp(log_q) * (log_q - log_p), z[:, 0]) == pytest.approx(kl, abs=1e-9)


def test_squared_error_is_summed_over_pixels(rng):
    x, images = rng.random((5, 4, 3, 2)).astype("float32"), rng.random((5, 4, 3, 2)).astype("float32")
    np.testing.assert_allclose(vh.squared_error(x, images), ((x - images) ** 2).sum((1, 2, 3)), rtol=1e-5)
    assert not np.any(vh.squared_error(x, x))
    np.testing.assert_allclose(vh.squared_error(x, images[:1]), ((x - images[:1]) ** 2).sum((1, 2, 3)), rtol=1e-5)
    with pytest.raises(ValueError, match="one value per pixel"):
        vh.squared_error(x, images[:2])


# Shapes


def test_each_loss_gives_one_value_per_example(rng):
    z, images = normal(rng, 7, 3), rng.random((7, 4, 5, 2)).astype("float32")
    assert vh.gaussian_kl(z, z).shape == vh.gaussian_log_prob(z, z, z).shape == (7,)
    assert vh.bernoulli_nll(images, images).shape == vh.squared_error(images, images).shape == (7,)


def test_latents_may_have_a_sample_axis(rng):
    z, mean = normal(rng, 6, 7, 3), normal(rng, 7, 3)
    log_prob = vh.gaussian_log_prob(z, mean, mean)
    assert log_prob.shape == (6, 7)
    np.testing.assert_allclose(log_prob[2], vh.gaussian_log_prob(z[2], mean, mean), rtol=1e-6)
    assert vh.gaussian_kl(z, z).shape == (6, 7)


def test_the_losses_work_inside_a_traced_graph(rng):
    x, logits = rng.random((3, 4, 4, 1)).astype("float32"), normal(rng, 3, 4, 4, 1)
    np.testing.assert_allclose(tf.function(vh.bernoulli_nll)(x, logits), vh.bernoulli_nll(x, logits), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "uint8", "int64", "bool"])
def test_images_of_zeros_and_ones_may_have_any_dtype(rng, dtype):
    x, logits = normal(rng, 3, 4, 4, 1) > 0, tf.constant(normal(rng, 3, 4, 4, 1))
    for loss in (vh.bernoulli_nll, vh.squared_error):
        np.testing.assert_allclose(loss(x.astype(dtype), logits), loss(x.astype("float32"), logits), rtol=1e-6)


def test_codes_of_numpy_mix_with_those_of_a_model(rng):
    z, mean = rng.normal(size=(3, 2)), tf.constant(normal(rng, 3, 2))
    np.testing.assert_allclose(vh.gaussian_log_prob(z, mean, 0 * mean), vh.gaussian_log_prob(z, mean.numpy(), 0 * z))
    np.testing.assert_allclose(vh.gaussian_kl(mean, 0 * z), vh.gaussian_kl(mean, 0 * mean), rtol=1e-6)


# Bad input


@pytest.mark.parametrize(
    "bad, remedy",
    [
        (1.5, r"\[0, 1\].*0 to 255, by 255"),
        (255, r"\[0, 1\].*0 to 255, by 255"),
        (-0.1, r"\[0, 1\].*\(x \+ 1\) / 2"),
        (-7, r"\[0, 1\].*another likelihood"),
        *((bad, r"finite.*isfinite") for bad in (np.nan, np.inf, -np.inf)),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, keras.ops.convert_to_tensor], ids=["array", "tensor"])
def test_pixels_outside_zero_to_one_are_refused_with_a_remedy(kind, bad, remedy):
    x = np.full((2, 4, 4, 1), 0.5, "float32")
    x[1, 2, 3, 0] = bad
    with pytest.raises(ValueError, match=remedy):
        vh.bernoulli_nll(kind(x), np.zeros_like(x))


def test_a_uint8_image_is_refused_with_a_remedy():
    x = np.full((2, 4, 4, 1), 200, "uint8")
    with pytest.raises(ValueError, match=r"Divide uint8 images.*by 255"):
        vh.bernoulli_nll(x, np.zeros(x.shape, "float32"))


@pytest.mark.parametrize("shape", [(2, 784), (2, 28, 28), (2, 28, 28, 3), (2, 27, 28, 1), (2,)])
def test_images_and_logits_of_different_shapes_are_refused_with_a_remedy(shape):
    with pytest.raises(ValueError, match=r"\(2, 28, 28, 1\).*one logit per pixel"):
        vh.bernoulli_nll(np.zeros((2, 28, 28, 1), "float32"), np.zeros(shape, "float32"))


def test_batches_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="shape"):
        vh.bernoulli_nll(np.zeros((2, 4, 4, 1), "float32"), np.zeros((1, 4, 4, 1), "float32"))


def test_a_sigmoid_too_many_is_not_undone():
    # Keras's own cross-entropy looks behind its own sigmoid, and computes as if it were not there.
    x, logits = np.ones((1, 2, 2, 1)), keras.ops.zeros((1, 2, 2, 1))
    twice = vh.bernoulli_nll(x, keras.ops.sigmoid(logits))
    np.testing.assert_allclose(twice, 4 * np.log(1 + np.exp(-0.5)), rtol=1e-5)
