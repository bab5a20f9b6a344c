"""Importance-weighted likelihood against a model that can be integrated; KL per dimension; active units."""

import keras
import numpy as np
import pytest
from scipy import stats

import vae_helpers as vh
from vae_helpers import evaluation

GRID = np.linspace(-8, 8, 4001)


@pytest.fixture
def vae(make_vae):
    """One latent, so that log p(x) is an integral over a line; its q is not too narrow."""
    vae = make_vae(latent_dim=1)
    for name in ("mean", "log_var"):
        head = vae.encoder.get_layer(name)
        head.set_weights([0.2 * weight for weight in head.get_weights()])
    return vae


def exact(vae, x):
    """log p(x) of each image, by quadrature over the latent."""
    logits = keras.ops.convert_to_numpy(vae.decoder(GRID[:, None].astype("float32"))).astype("float64")
    signs = 1 - 2 * x.astype("float64")[:, None]  # -log p(x|z) = log(1 + exp(sign · logit)) for binary pixels
    log_px = -np.logaddexp(0, signs * logits[None]).sum(axis=(2, 3, 4))
    log_prior = -0.5 * (np.log(2 * np.pi) + GRID**2)
    return np.log(np.sum(np.exp(log_px + log_prior), axis=1) * (GRID[1] - GRID[0]))


def test_many_samples_reach_the_exact_likelihood(vae, binary):
    np.testing.assert_allclose(vh.log_likelihood(vae, binary, samples=20_000), exact(vae, binary), atol=0.05)


def test_more_samples_give_a_tighter_bound_below_the_truth(vae, binary):
    few, many = (np.mean([vh.log_likelihood(vae, binary, k, seed=s) for s in range(40)]) for k in (1, 20))
    assert few < many < exact(vae, binary).mean() + 0.02


def test_one_sample_is_the_elbo_on_average(vae, binary):
    one = np.mean([vh.log_likelihood(vae, binary, samples=1, seed=s) for s in range(200)])
    elbo = -np.mean([vae.evaluate(binary, verbose=0, return_dict=True)["loss"] for _ in range(60)])
    assert one == pytest.approx(elbo, abs=0.15)


def test_the_same_seed_gives_the_same_numbers(vae, binary):
    first, second, other = (vh.log_likelihood(vae, binary, 5, seed=s) for s in (1, 1, 2))
    assert (first == second).all() and (first != other).any()


def test_chunks_do_not_change_the_shape_or_the_truth(vae, binary, monkeypatch):
    monkeypatch.setattr(evaluation, "_ROWS", 20)  # 37 images, in two parts
    values = vh.log_likelihood(vae, binary, samples=300)
    assert values.shape == (37,)
    np.testing.assert_allclose(values, exact(vae, binary), atol=0.3)


def test_no_more_rows_than_stated_are_decoded_at_once(vae, binary, monkeypatch):
    seen = []
    decoder = vae.decoder
    monkeypatch.setattr(vae, "decoder", lambda z: (seen.append(len(z)), decoder(z))[1])
    monkeypatch.setattr(evaluation, "_ROWS", 100)
    vh.log_likelihood(vae, binary, samples=50)
    assert max(seen) <= 100 and sum(seen) == 37 * 50


def test_no_samples_are_refused(vae, binary):
    with pytest.raises(ValueError, match="samples is 0"):
        vh.log_likelihood(vae, binary, samples=0)


def test_kl_per_dimension_adds_up_to_the_kl(make_vae, binary):
    vae = make_vae(latent_dim=3)
    assert vh.kl_per_dimension(vae, binary).sum() == pytest.approx(
        float(np.mean(vh.gaussian_kl(*vae.encode(binary)))), 1e-5
    )


def test_kl_per_dimension_treats_each_latent_by_itself(make_vae, binary):
    vae = make_vae(latent_dim=3)
    mean, log_var = (np.asarray(part, "float64") for part in vae.encode(binary))
    expected = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).mean(axis=0)
    np.testing.assert_allclose(vh.kl_per_dimension(vae, binary), expected, rtol=1e-4)


def test_a_latent_that_ignores_the_image_is_not_active(make_vae, binary):
    vae = make_vae(latent_dim=3)
    kernel, bias = vae.encoder.get_layer("mean").get_weights()
    kernel *= 10
    kernel[:, 1] = 0
    vae.encoder.get_layer("mean").set_weights([kernel, bias])
    assert vh.active_units(vae, binary).tolist() == [True, False, True]


# The mixture of all clouds


def clouds(n, latent_dim):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, latent_dim)), rng.normal(size=(n, latent_dim)) - 1


@pytest.mark.parametrize("at_once", [1, 40, evaluation._DENSITIES])
def test_the_mixture_is_the_average_of_the_clouds(monkeypatch, at_once):
    monkeypatch.setattr(evaluation, "_DENSITIES", at_once)
    z, (mean, log_var) = np.random.default_rng(0).normal(size=(7, 3)), clouds(20, 3)
    density = stats.norm(mean, np.exp(0.5 * log_var)).pdf(z[:, None]).prod(axis=-1).mean(axis=1)
    np.testing.assert_allclose(vh.mixture_log_density(z, mean, log_var), np.log(density), rtol=1e-4)


def test_the_mixture_has_area_one_and_a_logarithm_far_away():
    mean, log_var = clouds(20, 1)
    log_density = vh.mixture_log_density(GRID[:, None], mean, log_var)
    assert np.sum(np.exp(log_density)) * (GRID[1] - GRID[0]) == pytest.approx(1, abs=1e-3)
    assert np.isfinite(vh.mixture_log_density(np.array([[500.0]]), mean, log_var)).all()


@pytest.mark.parametrize("z, mean", [((3,), (5, 2)), ((3, 1), (5, 2)), ((3, 2), (5,)), ((3, 2), (4, 2))])
def test_shapes_that_do_not_fit_the_mixture_are_refused(z, mean):
    with pytest.raises(ValueError, match="points, latent_dim"):
        vh.mixture_log_density(np.zeros(z), np.zeros(mean), np.zeros((5, 2)))
