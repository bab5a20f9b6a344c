"""Numbers: extreme ones stay finite, bad ones end the training with a reason, and the same seed repeats them."""

import json
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

import vae_helpers as vh
from vae_helpers import watch

BLACK, WHITE = (np.full((37, 4, 4, 1), value, "float32") for value in (0, 1))
HALF = np.concatenate([BLACK[:18], WHITE[18:]])
IMAGES = {"black": BLACK, "white": WHITE, "black and white": HALF}


def finite(*values):
    return all(np.isfinite(keras.ops.convert_to_numpy(value)).all() for value in values)


def set_bias(network, layer, value):
    bias = network.get_layer(layer).bias
    bias.assign(np.full(bias.shape, value))


# Extreme, and finite


@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
def test_plain_images_and_the_smallest_batches_train(make_vae, images):
    vae = make_vae(optimizer=keras.optimizers.Adam(0.1))
    # One image; batches of one; an epoch of one ragged batch; a last batch of one.
    for n, batch_size in [(1, 32), (3, 1), (5, 32), (33, 32)]:
        logs = vae.fit(images[:n], batch_size=batch_size, epochs=2, verbose=0).history
        assert finite(list(logs.values())) and len(logs["loss"]) == 2
    assert finite(*vae.get_weights(), *vae.evaluate(images, verbose=0), vae.reconstruct(images), vae.sample(3, seed=0))
    assert finite(vh.log_likelihood(vae, images[:3], samples=10))


@pytest.fixture(scope="module")
def extreme():
    """A function that sets the outputs of a VAE's heads, and of the decoder, and gives the loss and its gradients."""
    vae = vh.VAE(vh.mlp_encoder((4, 4, 1), 2, (8,)), vh.mlp_decoder((4, 4, 1), 2, (8,)))

    def run(images, mean, log_var, logits):
        for head, value in (("mean", mean), ("log_var", log_var)):
            set_bias(vae.encoder, head, value)
        set_bias(vae.decoder, "pixels", logits)
        with tf.GradientTape() as tape:
            loss = vae.compute_loss(x=images, y_pred=vae(images))
        return vae, loss, tape.gradient(loss, vae.trainable_variables)

    return run


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.sampled_from(list(IMAGES)), *[st.floats(-1e4, 1e4, width=32)] * 3)
@example("black", 0, 20, 0)
@example("white", 0, -20, 0)
@example("black and white", 1e4, 1e4, 1e4)
@example("black and white", -1e4, -1e4, -1e4)
def test_any_output_of_the_networks_gives_a_finite_loss_and_finite_gradients(extreme, images, mean, log_var, logits):
    vae, loss, gradients = extreme(IMAGES[images], mean, log_var, logits)
    assert finite(loss, *gradients)
    assert finite(vae.reconstruct(IMAGES[images]))


@pytest.mark.parametrize("mean", [-1e4, 0, 1e4])
@pytest.mark.parametrize("log_var", [-1e4, -20, 20, 1e4])
@pytest.mark.parametrize("logits", [-1e4, 1e4])
def test_the_likelihood_is_finite_for_extreme_codes(extreme, mean, log_var, logits):
    vae, *_ = extreme(HALF, mean, log_var, logits)
    estimate = vh.log_likelihood(vae, HALF[15:20], samples=20)
    assert finite(estimate) and (estimate < 0).all()
    assert finite(vh.kl_per_dimension(vae, HALF))


@pytest.mark.parametrize("log_var, passes", [(-20.5, False), (-19.5, True), (19.5, True), (20.5, False)])
def test_the_gradient_of_log_var_ends_where_it_is_clipped(extreme, log_var, passes):
    vae, _, gradients = extreme(BLACK, 0, log_var, 0)  # black images: the heads give their bias
    bias = vae.encoder.get_layer("log_var").bias
    (gradient,) = (gradient for variable, gradient in zip(vae.trainable_variables, gradients) if variable is bias)
    assert bool(np.any(gradient)) == passes


# Bad numbers end the training


def blow_up(vae, x, **options):
    """The message of a training that must fail."""
    with pytest.raises(FloatingPointError) as error:
        vae.fit(x, **{"verbose": 0, "shuffle": False, "batch_size": 1, **options})
    return str(error.value)


def tender(vae, network, layer, weight=1e30):
    """A layer that gives 0 for black images, and a number too large to square for any other."""
    layer = getattr(vae, network).get_layer(layer)
    layer.kernel.assign(np.full(layer.kernel.shape, weight))
    layer.bias.assign(np.zeros(layer.bias.shape))


@pytest.fixture
def still(make_vae):
    """A function that builds a VAE which does not learn, so that a test decides when it goes bad."""
    return lambda **options: make_vae(optimizer=keras.optimizers.SGD(0.0), **options)


def one_bright(place, n=37):
    images = np.zeros((n, 4, 4, 1), "float32")
    images[place] = 1
    return images


@pytest.mark.parametrize("place, validation", [(0, False), (25, True), (36, False)])
def test_the_step_and_the_term_that_went_bad_are_named(still, place, validation):
    vae = still(hidden=())
    tender(vae, "encoder", "mean")
    options = {"validation_data": BLACK} if validation else {}
    vae.fit(BLACK, batch_size=1, verbose=0, **options)
    message = blow_up(vae, one_bright(place), epochs=2, **options)
    assert message.startswith(f"kl became infinite or not a number at step {place + 1} of epoch 1.")
    assert vae.history.history == {}


def test_the_step_is_named_though_keras_calls_late(still, monkeypatch):
    def late(*arguments, on_time=watch.Watch.on_train_batch_end):
        time.sleep(0.5)
        on_time(*arguments)

    vae = still(hidden=())
    tender(vae, "encoder", "mean")
    vae.fit(BLACK, batch_size=1, validation_data=BLACK, verbose=0)
    monkeypatch.setattr(watch.Watch, "on_train_batch_end", lambda *args, logs=None: late(*args, logs))
    message = blow_up(vae, one_bright(36), validation_data=BLACK)
    assert message.startswith("kl became infinite or not a number at step 37 of epoch 1.")


def test_a_reconstruction_that_went_bad_is_named(still):
    vae = still()
    set_bias(vae.decoder, "pixels", 3e38)
    assert blow_up(vae, BLACK).startswith("reconstruction became infinite or not a number at step 1 of epoch 1.")


def test_a_regularizer_that_went_bad_is_named(make_vae):
    penalty = keras.regularizers.L2(1e38)
    image = keras.Input((4, 4, 1))
    flat = keras.layers.Flatten()(image)
    encoder = keras.Model(image, [keras.layers.Dense(2, kernel_regularizer=penalty)(flat), keras.layers.Dense(2)(flat)])
    vae = vh.VAE(encoder, vh.mlp_decoder((4, 4, 1), 2, (8,)))
    vae.compile(keras.optimizers.SGD(0.0))
    assert blow_up(vae, BLACK).startswith("loss became infinite or not a number in epoch 1.")


def test_validation_that_went_bad_is_named(still):
    vae = still(hidden=())
    tender(vae, "encoder", "mean")
    message = blow_up(vae, BLACK, validation_data=one_bright(3))
    assert message.startswith("val_loss became infinite or not a number at the end of epoch 1.")


def test_weights_that_went_bad_in_the_last_step_are_noticed(make_vae, grey):
    vae = make_vae(optimizer=keras.optimizers.SGD(3e38))
    message = blow_up(vae, grey, batch_size=37)
    assert message.startswith("weights became infinite or not a number in the last step.")
    assert len(vae.history.history["loss"]) == 1
    assert "at step 1 of epoch 1." in blow_up(vae, grey, batch_size=37)  # and nothing can be learned from there


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_a_learning_rate_that_is_too_high_ends_with_a_remedy(make_vae, grey, verbose):
    vae = make_vae(optimizer=keras.optimizers.SGD(1e3))
    message = blow_up(vae, grey, batch_size=4, epochs=50, validation_data=grey, verbose=verbose)
    assert "the learning rate is too high: it is 1000; try 100. Build the model again" in message
    assert finite(list(vae.history.history.values()))


def test_the_step_is_the_same_however_many_are_made_in_one_call(make_vae, grey):
    def message(**options):
        vh.run_settings(seed=0)
        vae = make_vae()
        vae.compile(keras.optimizers.SGD(10.0), **options)
        return blow_up(vae, grey, epochs=50)

    assert message() == message(steps_per_execution=1)


def test_an_autoencoder_says_so_too(make_autoencoder, grey):
    model = make_autoencoder(reconstruction="bernoulli", optimizer=keras.optimizers.SGD(1e30))
    assert blow_up(model, grey).startswith("reconstruction became infinite or not a number at step")


def test_a_bad_epoch_is_shown_to_no_other_callback(still):
    class Keep(keras.callbacks.Callback):
        seen = ()

        def on_epoch_end(self, epoch, logs=None):
            self.seen += tuple(logs.values())

    keep, vae = Keep(), still(hidden=())
    tender(vae, "encoder", "mean")
    vae.fit(BLACK, validation_data=BLACK, verbose=0, callbacks=keep)
    blow_up(vae, BLACK, validation_data=one_bright(3), callbacks=[keep])
    assert len(keep.seen) == 6 and finite(keep.seen)


# The same seed, the same numbers

REPEAT = """
import hashlib, json, sys
import vae_helpers as vh

def repeat(images, epochs, width, *kinds):
    report = []
    for kind in kinds:
        vh.run_settings(seed=5)
        data = vh.load_images("digits")
        shape = data.image_shape
        if kind == "mlp":
            networks = vh.mlp_encoder(shape, 2, (width, width)), vh.mlp_decoder(shape, 2, (width, width))
        else:
            filters = width // 16, width // 8
            networks = vh.conv_encoder(shape, 2, filters), vh.conv_decoder(shape, 2, filters[::-1])
        vae = vh.VAE(*networks)
        vae.compile()
        history = vae.fit(data.x_train[:images], epochs=epochs, verbose=0).history
        weights = hashlib.sha256(b"".join(weight.tobytes() for weight in vae.get_weights())).hexdigest()
        report.append([kind, history, weights])
    return report

if __name__ == "__main__":
    import tensorflow as tf
    threads, *numbers = map(int, sys.argv[1:5])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    print(json.dumps(repeat(*numbers, *sys.argv[5:])))
"""


def in_a_fresh_process(run_python, threads, *arguments):
    return json.loads(run_python(REPEAT, threads, *arguments).stdout.splitlines()[-1])


def test_the_same_seed_gives_the_same_numbers_here_and_in_a_fresh_process(run_python):
    here = {"__name__": "here"}
    exec(REPEAT, here)
    expected = here["repeat"](300, 2, 64, "conv")
    assert len(expected[0][1]["loss"]) == 2
    assert in_a_fresh_process(run_python, 0, 300, 2, 64, "conv") == expected


@pytest.mark.long
@pytest.mark.parametrize("threads", [0, 1, 8])
def test_the_same_seed_gives_the_same_numbers_in_two_fresh_processes_of_the_size_of_a_lesson(run_python, threads):
    first, second = (in_a_fresh_process(run_python, threads, 1500, 5, 512, "mlp", "conv") for _ in range(2))
    assert len(first[0][1]["loss"]) == 5
    assert first == second


def test_the_seed_restarts_the_noise_that_has_no_seed_of_its_own():
    def draw():
        vh.run_settings(seed=4)
        return np.asarray(keras.random.normal((5,)))

    np.testing.assert_array_equal(draw(), draw())
