"""What test_devices.py and test_backends.py run in processes of their own, because TensorFlow's devices and Keras's
backend are chosen once in a process. `python tests/workers.py JOB` prints a report as JSON in its last line.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import vae_helpers as vh

SHAPE = (4, 4, 1)


def run(*jobs, patience=120):
    """The reports of jobs that run at once, each given as (arguments, environment).

    When one fails, or after `patience` seconds, all are ended, and RuntimeError has what they printed.
    """
    ending = time.monotonic() + patience
    with contextlib.ExitStack() as stack:
        printed = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in jobs]
        processes = []
        try:
            for (arguments, environment), output in zip(jobs, printed):
                environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment}
                command = [sys.executable, "-W", "ignore", __file__, *arguments]
                processes.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment))
            codes = [None]
            while None in codes and not any(codes) and time.monotonic() < ending:
                time.sleep(0.05)
                codes = [process.poll() for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
        for output in printed:
            output.seek(0)
        texts = [output.read() for output in printed]
    if any(code != 0 for code in codes):
        ends = "\n\n".join(text[-3000:] for text in texts)
        raise RuntimeError(f"the processes ended with {codes} (None: too late, or stopped with another):\n{ends}")
    return [json.loads(text.splitlines()[-1]) for text in texts]


def some_images(n, seed=0):
    """n images of 16 pixels: one bright row each, and a twentieth of the pixels turned over."""
    rng = np.random.default_rng(seed)
    images = np.eye(4)[rng.integers(4, size=n)][..., None] * np.ones(4)
    return np.abs(images - (rng.random(images.shape) < 0.05)).astype("float32")[..., None]


def networks(variational=True):
    return vh.mlp_encoder(SHAPE, 2, (16,), variational), vh.mlp_decoder(SHAPE, 2, (16,))


def make_vae(**kwargs):
    vae = vh.VAE(*networks(), beta=0.5, **kwargs)
    vae.compile(keras.optimizers.SGD(0.02))
    return vae


def make_autoencoder():
    model = vh.Autoencoder(*networks(variational=False))
    model.compile(keras.optimizers.SGD(0.02))
    return model


def start(model, seed):
    """Give the model the weights, and the noise, of a new one with this seed, without compiling it again."""
    vh.run_settings(seed=seed)
    for mine, new in zip((model.encoder, model.decoder), networks(isinstance(model, vh.VAE))):
        mine.set_weights(new.get_weights())
    if isinstance(model, vh.VAE):
        model.reseed(seed)


def flat(model):
    return np.concatenate([np.ravel(weight) for weight in model.get_weights()]).tolist()


def train(model, n, epochs=2, evaluate_together=16, **kwargs):
    """Fit on n images in batches of 16; evaluate on 37, so many together."""
    images, steps = some_images(37), int(model.optimizer.iterations.numpy())
    history = model.fit(some_images(n), batch_size=16, epochs=epochs, verbose=0, **kwargs).history
    steps = int(model.optimizer.iterations.numpy()) - steps
    evaluated = model.evaluate(images, batch_size=evaluate_together, return_dict=True, verbose=0)
    report = {"history": history, "evaluated": evaluated, "weights": flat(model), "steps": steps}
    if isinstance(model, vh.Autoencoder):
        report["by hand"] = float(np.square(images - model.reconstruct(images)).sum((1, 2, 3)).mean())
    return report


def final_losses(vae, seeds):
    """The loss in the last epoch of a short training, for each seed."""
    losses = []
    for seed in seeds:
        start(vae, seed)
        losses.append(vae.fit(some_images(96), batch_size=16, epochs=6, verbose=0).history["loss"][-1])
    return losses


def each_device(strategy, value):
    return [np.asarray(part).tolist() for part in strategy.experimental_local_results(value)]


def noise_of_each_device(strategy, vae):
    def draw():
        zeros = tf.zeros((1, 2))
        return vae.reparameterize(zeros, zeros)

    return each_device(strategy, tf.function(strategy.run)(draw))


def mirrored():
    """Two devices in one process, beside one device."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    report = {"devices": strategy.num_replicas_in_sync}

    def both(build):
        one = build()
        with strategy.scope():
            return {"one": one, "two": build()}

    vaes = both(make_vae)
    report["losses"] = {name: final_losses(vae, range(2)) for name, vae in vaes.items()}
    report["steps per execution"] = {name: vae.steps_per_execution for name, vae in vaes.items()}

    vae = vaes["two"]
    # The last batch is one image: one device gets none.
    report["vae"] = train(vae, 33, validation_data=some_images(37))
    report["seed states"] = each_device(strategy, vae.seed_generator.state.value)
    vae.reseed(7)
    report["after reseed(7)"] = each_device(strategy, vae.seed_generator.state.value)
    report["noise"] = [noise_of_each_device(strategy, vae) for _ in range(2)]

    autoencoders = both(make_autoencoder)
    for name, model in autoencoders.items():
        start(model, 0)
        report[f"autoencoder, {name}"] = train(model, 32, evaluate_together=37, shuffle=False)

    report["reconstructions"] = float(np.abs(vae.reconstruct(some_images(5)) - 0.5).max())
    report["log-likelihood"] = vh.log_likelihood(vae, some_images(5), samples=10).tolist()
    pictures = vh.Frames(lambda model: model.decode(np.zeros((1, 2)))[0], every=1)
    vae.fit(some_images(33), batch_size=16, verbose=0, callbacks=[pictures])
    report["pictures"] = len(pictures.frames)
    bad = tf.data.Dataset.from_tensor_slices(np.concatenate([some_images(16), 2 + some_images(1)])).batch(16)
    try:
        vae.evaluate(bad, verbose=0)
    except ValueError as error:
        report["bad pixels"] = str(error)
    vae.optimizer.learning_rate = 1e30
    try:
        vae.fit(some_images(32), batch_size=16, verbose=0)
    except FloatingPointError as error:
        report["too high a learning rate"] = str(error)
    return report


def worker(dying=""):
    """One of the processes that TF_CONFIG names. dying: the number of the one that ends in its first step."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    number = strategy.cluster_resolver.task_id
    with strategy.scope():
        vae, autoencoder = make_vae(), make_autoencoder()
    start(vae, 0)
    report = {"devices": strategy.num_replicas_in_sync}
    end = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: os._exit(3))
    report["vae"] = train(vae, 33, validation_data=some_images(37), callbacks=[end] if dying == str(number) else None)
    report["noise"] = noise_of_each_device(strategy, vae)
    report["log-likelihood"] = vh.log_likelihood(vae, some_images(5), samples=10).tolist()
    start(autoencoder, 0)
    report["autoencoder"] = train(autoencoder, 32, shuffle=False)
    return report


def loss_arguments():
    rng = np.random.default_rng(0)
    mean, log_var, z = (rng.normal(size=(5, 3)).astype("float32") for _ in range(3))
    x, logits = some_images(5), 3 * rng.normal(size=(5, *SHAPE)).astype("float32")
    return {
        "gaussian_kl": (mean, log_var),
        "gaussian_log_prob": (z, mean, log_var),
        "bernoulli_nll": (x, logits),
        "continuous_bernoulli_nll": (x, logits),
        "gaussian_nll": (x, logits, np.float32(0.3)),
        "squared_error": (x, logits),
    }


def values_of_losses():
    """Each loss at a few random places, given arrays and given the backend's own tensors."""
    report = {}
    for name, arguments in loss_arguments().items():
        loss = getattr(vh, name)
        for kind, convert in (("arrays", np.asarray), ("tensors", keras.ops.convert_to_tensor)):
            report[f"{name} of {kind}"] = keras.ops.convert_to_numpy(loss(*map(convert, arguments))).tolist()
    return report


def backend():
    """The package on the backend that KERAS_BACKEND names."""
    import matplotlib

    matplotlib.use("agg")
    vh.run_settings(seed=0)
    images = some_images(96)
    report = {"backend": keras.backend.backend(), "losses": values_of_losses()}
    vae = make_vae()
    report["steps per execution"] = vae.steps_per_execution
    pictures = vh.Frames(lambda model: model.decode(np.zeros((1, 2)))[0])
    report["vae"] = train(vae, 101, epochs=4, validation_data=some_images(37), callbacks=[pictures])
    report["pictures"] = len(pictures.frames)
    try:
        report["warm-up"] = train(make_vae(warm_up=1), 96, epochs=1)
    except ValueError as error:
        report["no warm-up"] = str(error)
    autoencoder = make_autoencoder()
    report["autoencoder"] = train(autoencoder, 101, epochs=4)
    mean, log_var = vae.encode(images)
    results = {
        "mean": mean,
        "log_var": log_var,
        "code": autoencoder.encode(images),
        "decode": vae.decode(mean),
        "reconstruct": vae.reconstruct(keras.ops.convert_to_tensor(images)),
        "sample": vae.sample(96, seed=0),
        "predict": vae.predict(images, verbose=0)["logits"],
        "log_likelihood": vh.log_likelihood(vae, images, samples=20),
        "kl_per_dimension": vh.kl_per_dimension(vae, images),
        "active_units": vh.active_units(vae, images),
    }
    report["shapes"] = {name: list(value.shape) for name, value in results.items()}
    report["finite"] = all(np.isfinite(keras.ops.convert_to_numpy(value)).all() for value in results.values())
    with tempfile.TemporaryDirectory() as folder:
        vae.save(f"{folder}/vae.keras")
        again = keras.saving.load_model(f"{folder}/vae.keras")
    report["loaded alike"] = bool(np.allclose(again.sample(4, seed=0), vae.sample(4, seed=0), atol=1e-6))
    labels = np.arange(96) % 4
    vh.plot_reconstructions(vae, images[:5])
    vh.plot_latent_scatter(mean, labels, list("abcd"))
    vh.plot_clouds(mean, log_var)
    vh.plot_manifold(vae, 4)
    vh.latent_explorer(vae, images, labels, tiles=5)
    for kind, bad in (("array", images + 1), ("tensor", keras.ops.convert_to_tensor(images + 1))):
        try:
            vae.encode(bad)
        except ValueError as error:
            report[f"{kind} beyond 1"] = str(error)
    return report


if __name__ == "__main__":
    jobs = {"mirrored": mirrored, "worker": worker, "backend": backend}
    report = jobs[sys.argv[1]](*sys.argv[2:])
    sys.stderr.flush()
    print("\n" + json.dumps(report), flush=True)
    os._exit(0)  # nothing is printed after the report
