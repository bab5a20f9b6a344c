"""The package on the other backends of Keras 3, where they are installed."""

import importlib.util

import numpy as np
import pytest
import workers


@pytest.fixture(scope="module", params=["jax", "torch"])
def report(request):
    """What a process reports that trains, evaluates and draws on this backend."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    report = workers.run((["backend"], {"KERAS_BACKEND": request.param}))[0]
    assert report["backend"] == request.param
    return report


def test_the_losses_have_the_values_that_tensorflow_gives(report):
    expected = workers.values_of_losses()
    assert expected.keys() == report["losses"].keys()
    for name, values in expected.items():
        np.testing.assert_allclose(report["losses"][name], values, rtol=1e-5, err_msg=name)


def test_a_vae_trains_and_its_loss_adds_up(report):
    history, evaluated = report["vae"]["history"], report["vae"]["evaluated"]
    assert history["loss"][-1] < 0.97 * history["loss"][0]
    assert report["vae"]["steps"] == 4 * 7  # ragged, and several steps in a call
    for logs, prefix in ((history, ""), (history, "val_"), (evaluated, "")):
        loss, reconstruction, kl = (np.array(logs[prefix + name]) for name in ("loss", "reconstruction", "kl"))
        np.testing.assert_allclose(loss, reconstruction + 0.5 * kl, rtol=1e-5)


def test_an_autoencoder_trains_and_its_loss_is_the_squared_error(report):
    training = report["autoencoder"]
    assert training["history"]["loss"][-1] < 0.97 * training["history"]["loss"][0]
    assert training["evaluated"]["loss"] == pytest.approx(training["by hand"], rel=1e-4)


def test_the_warm_up_goes_on_from_step_to_step_or_is_refused(report):
    """One step without KL, then five with all of it."""
    if report["backend"] == "jax":
        assert "leave it out" in report["no warm-up"]
        return
    logs = {name: values[0] for name, values in report["warm-up"]["history"].items()}
    assert logs["loss"] - logs["reconstruction"] > 0.5 * 0.5 * logs["kl"]


def test_codes_and_images_have_their_shapes_and_are_finite(report):
    images, codes = [96, 4, 4, 1], [96, 2]
    assert report["shapes"] == {
        "mean": codes,
        "log_var": codes,
        "code": codes,
        "decode": images,
        "reconstruct": images,
        "sample": images,
        "predict": images,
        "log_likelihood": [96],
        "kl_per_dimension": [2],
        "active_units": [2],
    }
    assert report["finite"]


def test_a_saved_model_comes_back(report):
    assert report["loaded alike"]


def test_a_film_has_a_picture_after_each_epoch(report):
    assert report["pictures"] == 5


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_pixels_beyond_one_are_refused(report, kind):
    assert "Divide uint8 images by 255" in report[f"{kind} beyond 1"]
