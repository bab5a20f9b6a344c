"""A small training that can be killed, for test_callbacks.py: `python killed_run.py file epochs moment`.

It prints what it trained, unless it is killed: "step 2" in the middle of an epoch, "file 3" with half a file written,
"name 2" with a whole file that does not have its name yet. "slow" leaves time to be killed from outside.

All that has a state takes part: Adam, a schedule, moving averages, dropout with a seed of its own, noise from Keras's
global generator, the noise of the model, validation, a ragged last batch.
"""

import hashlib
import json
import os
import signal
import sys
import time

import keras
import numpy as np

import vae_helpers as vh
from vae_helpers.training import STEPS_PER_EXECUTION

IMAGES = (np.random.default_rng(0).random((150, 4, 4, 1)) > 0.5).astype("float32")


class Jitter(keras.layers.Layer):
    def call(self, x):
        return x + 0.1 * keras.random.normal((8,))


def build():
    vh.run_settings(seed=3)
    image = keras.Input((4, 4, 1))
    x = keras.layers.Dense(8, "relu")(keras.layers.Flatten()(image))
    x = Jitter()(keras.layers.BatchNormalization()(keras.layers.Dropout(0.2)(x)))
    encoder = keras.Model(image, [keras.layers.Dense(2)(x), keras.layers.Dense(2)(x)])
    vae = vh.VAE(encoder, vh.mlp_decoder((4, 4, 1), 2, (8,)))
    adam = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9))
    vae.compile(adam, steps_per_execution=min(4, STEPS_PER_EXECUTION))
    return vae


def train(vae, path, epochs, callbacks=()):
    callbacks = [vh.resumable(path), *callbacks]
    return vae.fit(IMAGES, epochs=epochs, batch_size=16, validation_data=IMAGES[:40], verbose=0, callbacks=callbacks)


def result(vae, history):
    values = [*vae.variables, *vae.optimizer.variables, keras.random.normal((3,))]
    digest = hashlib.sha256(b"".join(np.asarray(value).tobytes() for value in values)).hexdigest()
    return {"history": history.history, "epoch": history.epoch, "digest": digest}


seen = {"step": 0, "file": 0, "name": 0}


def reached(what):
    seen[what] += 1
    return moment == f"{what} {seen[what]}"


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Step(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if reached("step"):
            die()
        if moment == "slow":
            time.sleep(0.02)


def fsync(file, whole=os.fsync):
    if reached("file"):
        os.ftruncate(file, os.fstat(file).st_size // 2)
        die()
    whole(file)
    if moment == "slow":
        time.sleep(0.05)


def replace(old, new, replace=os.replace):
    if reached("name"):
        die()
    replace(old, new)


if __name__ == "__main__":
    path, epochs, moment = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    os.fsync, os.replace = fsync, replace
    vae = build()
    print(json.dumps(result(vae, train(vae, path, epochs, [Step()]))))
