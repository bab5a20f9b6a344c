"""A training that is killed, stopped by hand or started twice: what is kept, and what is refused."""

import errno
import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time

import keras
import killed_run
import numpy as np
import pytest
import tensorflow as tf
from killed_run import build, result, train

import vae_helpers as vh
from vae_helpers import resume as module


def start(*arguments):
    """A fresh process of killed_run.py."""
    command = [sys.executable, killed_run.__file__, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def uninterrupted(path, epochs):
    vae = build()
    history = train(vae, path, epochs)
    return result(vae, history)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return uninterrupted(tmp_path_factory.mktemp("whole") / "run", 4)


# While the second epoch is written; in the middle of the second epoch, where less can be lost.
@pytest.mark.parametrize("moment", ["file 3", pytest.param("step 2", marks=pytest.mark.long)])
def test_killed_in_an_epoch_or_while_writing_it_ends_in_the_same_weights_and_history(tmp_path, whole, moment):
    process = start(tmp_path / "run", 4, moment)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, errors
    process = start(tmp_path / "run", 4, "never")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "1 of 4 epochs are trained" in output
    assert json.loads(output.splitlines()[-1]) == whole


@pytest.mark.long
def test_killed_at_twenty_random_moments_it_ends_in_the_same_weights_and_history(tmp_path):
    epochs, kills, runs = 12, 0, 0
    expected = uninterrupted(tmp_path / "other", epochs)
    moments = random.Random(0)
    began = time.monotonic()
    slow = start(tmp_path / "run 0", epochs, "slow")
    output, _ = slow.communicate(timeout=300)
    seconds = time.monotonic() - began
    while kills < 20 or "digest" not in output:
        if "digest" in output:
            assert json.loads(output.splitlines()[-1]) == expected
            runs += 1
        process = start(tmp_path / f"run {runs}", epochs, "slow")
        try:
            output, errors = process.communicate(timeout=moments.uniform(0.3, 0.9) * seconds if kills < 20 else 300)
            assert process.returncode == 0, errors
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            kills += 1
    assert json.loads(output.splitlines()[-1]) == expected
    print(f"{kills} kills, {runs} runs, {len(list(tmp_path.glob('*.part')))} of them while a file was written")


# In one process: what a notebook does


class Stop(keras.callbacks.Callback):
    """Does something at one moment of the training: after a number of training calls, or of validation calls."""

    def __init__(self, do, train=None, test=None):
        super().__init__()
        self.do, self.at, self.seen = do, {"train": train, "test": test}, {"train": 0, "test": 0}

    def count(self, kind):
        self.seen[kind] += 1
        if self.seen[kind] == self.at[kind]:
            self.do()

    def on_train_batch_end(self, batch, logs=None):
        self.count("train")

    def on_test_batch_end(self, batch, logs=None):
        self.count("test")


@pytest.fixture(autouse=True)
def control_c_is_heard():
    """A shell that starts the tests in the background lets them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def control_c():
    signal.raise_signal(signal.SIGINT)


def must_not_train():
    raise AssertionError("a finished run trained again")


def test_stopped_by_hand_the_same_cell_goes_on_with_the_same_model(tmp_path, whole, capsys):
    vae = build()
    calls = math.ceil(10 / vae.steps_per_execution)
    with pytest.raises(KeyboardInterrupt):
        train(vae, tmp_path / "run", 4, [Stop(control_c, train=2 * calls + 1)])  # in the third epoch
    history = train(vae, tmp_path / "run", 4)
    assert "2 of 4 epochs are trained; goes on" in capsys.readouterr().out
    assert vae.history is history
    assert result(vae, history) == whole


def test_a_finished_run_returns_at_once_and_more_epochs_go_on(tmp_path, whole, capsys):
    train(build(), tmp_path / "run", 2)
    vae = build()
    history = train(vae, tmp_path / "run", 2, [Stop(must_not_train, train=1)])
    assert "2 of 2 epochs are trained; nothing is left to train" in capsys.readouterr().out
    assert history.epoch == [0, 1] and history.history["loss"] == whole["history"]["loss"][:2]
    assert result(vae, train(vae, tmp_path / "run", 4)) == whole


def test_an_autoencoder_goes_on_with_a_rate_that_a_callback_sets(tmp_path, make_autoencoder, grey):
    def fit(path, epochs, do=None):
        vh.run_settings(seed=0)
        model = make_autoencoder(optimizer=keras.optimizers.Adam(0.01))
        halve = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / 2**epoch)
        callbacks = [vh.resumable(path), halve, Stop(do, train=3)]
        return model, model.fit(grey, epochs=epochs, batch_size=40, verbose=0, callbacks=callbacks)

    expected, history = fit(tmp_path / "whole", 3, lambda: None)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", 3, control_c)
    model, resumed = fit(tmp_path / "run", 3)
    assert resumed.history == history.history
    assert history.history["learning_rate"] == pytest.approx([0.01, 0.005, 0.0025])
    for ours, theirs in zip(model.get_weights(), expected.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


# The order of the images


def in_order(vae, x, path, **arguments):
    """The callback, and the images that it gives to Keras."""
    callback = vh.resumable(path)
    arguments = {"x": x, "batch_size": 16, "epochs": 3, "callbacks": [callback], **arguments}
    callback.before_fit(vae, arguments)
    return callback, arguments["x"]


def test_each_epoch_has_its_own_order_which_a_seed_repeats(make_vae, tmp_path):
    x = np.broadcast_to((np.arange(37, dtype="float32") / 37).reshape(37, 1, 1, 1), (37, 4, 4, 1))

    def orders(seed, epochs):
        vh.run_settings(seed)
        callback, batches = in_order(make_vae(), x, tmp_path / f"run {seed} {epochs}")
        found = []
        for epoch in epochs:
            callback.on_epoch_begin(epoch)
            sizes = [len(batch) for batch in batches]
            found.append([round(37 * float(image[0, 0, 0])) for batch in batches for image in batch])
            assert sizes == [16, 16, 5] and len(batches) == 3
        return found

    first, second = orders(0, [0, 1])
    assert sorted(first) == sorted(second) == list(range(37))
    assert first != second and first != sorted(first)
    assert orders(0, [1, 0]) == [second, first]
    assert first not in orders(1, [0, 1])


def test_without_shuffling_keras_gets_the_images_as_they_are(make_vae, grey, tmp_path):
    assert in_order(make_vae(), grey, tmp_path / "run", shuffle=False)[1] is grey


# What is refused


@pytest.fixture
def begin(make_vae, grey, tmp_path):
    """A function that starts a run of no epochs, or what is another run, in the file `run`."""

    def begin(seed=0, x=grey, batch_size=16, epochs=0, callbacks=(), make=make_vae, **options):
        vh.run_settings(seed)
        network = {name: options.pop(name) for name in ("hidden", "beta", "optimizer") if name in options}
        callbacks = [vh.resumable(tmp_path / "run"), *callbacks]
        vae = make(**network)
        vae.fit(x, batch_size=batch_size, epochs=epochs, callbacks=callbacks, verbose=0, **options)
        return vae

    return begin


ANOTHER = {
    "network": dict(hidden=(9,)),
    "network, same shapes": dict(beta=2.0),
    "optimizer": dict(optimizer=keras.optimizers.Adam()),
    "optimizer, another rate": dict(optimizer=keras.optimizers.SGD(0.1)),
    "batch size": dict(batch_size=8),
    "shuffle": dict(shuffle=False),
    "validation": dict(validation_data=np.zeros((3, 4, 4, 1), "float32")),
    "set of images": dict(x=np.zeros((37, 4, 4, 1), "float32")),
    "set of images, fewer": dict(x=np.zeros((30, 4, 4, 1), "float32")),
    "seed": dict(seed=1),
}


@pytest.mark.parametrize("name, other", ANOTHER.items(), ids=ANOTHER)
def test_a_file_of_another_run_is_refused_with_a_remedy(begin, tmp_path, name, other):
    begin()
    kept = (tmp_path / "run").read_bytes()
    with pytest.raises(ValueError, match=rf"run holds a run .*another {name.split(',')[0]}.*Delete .*run to train"):
        begin(**other)
    assert (tmp_path / "run").read_bytes() == kept


def test_a_model_that_was_trained_before_is_refused_but_not_the_one_that_began_the_run(begin, grey, tmp_path):
    vae = begin()
    vae.fit(grey, verbose=0)
    vae.fit(grey, batch_size=16, epochs=0, callbacks=[vh.resumable(tmp_path / "run")])
    with pytest.raises(ValueError, match="another seed or other weights"):
        begin(make=lambda: trained(vae))


def trained(vae):
    copy = keras.models.clone_model(vae)
    copy.set_weights([1.1 * weight for weight in vae.get_weights()])
    copy.compile(keras.optimizers.SGD(1e-3))
    return copy


def test_fewer_epochs_than_were_trained_are_refused(begin):
    begin(epochs=1)
    with pytest.raises(ValueError, match=r"holds 1 epochs, more than epochs=0.*Delete"):
        begin()


CANNOT = {
    "Dataset": dict(x=tf.data.Dataset.from_tensors(np.zeros((3, 4, 4, 1), "float32")), batch_size=None),
    "steps_per_epoch": dict(steps_per_epoch=1),
    "validation_split": dict(validation_split=0.1),
    "initial_epoch": dict(initial_epoch=1),
    "sample_weight": dict(sample_weight=np.ones(37)),
    "y": dict(y=np.zeros((37, 4, 4, 1))),
    "shuffle is 'batch'": dict(shuffle="batch"),
    "EarlyStopping": dict(callbacks=[keras.callbacks.EarlyStopping("loss")]),
    "ReduceLROnPlateau": dict(callbacks=[keras.callbacks.ReduceLROnPlateau("loss")]),
}


@pytest.mark.parametrize("name, arguments", CANNOT.items(), ids=CANNOT)
def test_what_cannot_be_restored_is_refused_before_anything_is_written(begin, tmp_path, name, arguments):
    with pytest.raises(ValueError, match=name):
        begin(**arguments)
    assert not list(tmp_path.iterdir())


def test_a_model_that_was_not_compiled_hears_it_from_keras(grey, tmp_path):
    vae = vh.VAE(vh.mlp_encoder((4, 4, 1), 2), vh.mlp_decoder((4, 4, 1), 2))
    with pytest.raises(ValueError, match=r"compile\(\)"):
        vae.fit(grey, callbacks=[vh.resumable(tmp_path / "run")])


def test_a_model_of_another_package_is_refused(grey, tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    with pytest.raises(TypeError, match=r"vh\.VAE"):
        model.fit(grey, grey, verbose=0, callbacks=[vh.resumable(tmp_path / "run")])


# Files


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGE = {
    "half of it": lambda content: content[: len(content) // 2],
    "the last byte lost": lambda content: content[:-1],
    "a byte too many": lambda content: content + b"\0",
    "nothing": lambda content: b"",
    "only zeros": lambda content: bytes(len(content)),
    "a text": lambda content: b"my notes\n",
    **{
        f"a bit at {part} %": lambda content, part=part: flipped(content, part * len(content) // 100)
        for part in range(0, 100, 20)
    },
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_refused_and_left_alone(begin, tmp_path, damage):
    begin()
    path = tmp_path / "run"
    path.write_bytes(damage(path.read_bytes()))
    kept = path.read_bytes()
    with pytest.raises(ValueError, match=r"run is damaged, or not a file of resumable\. Delete .*run to train"):
        begin()
    assert path.read_bytes() == kept


def test_a_file_of_another_version_is_refused(begin, tmp_path, monkeypatch):
    begin()
    monkeypatch.setattr(module, "_FORMAT", 2)
    with pytest.raises(ValueError, match=r"another version.*Delete"):
        begin()


def test_a_place_that_cannot_be_written_is_found_before_training(make_vae, grey, tmp_path):
    (tmp_path / "notes").touch()
    callbacks = [vh.resumable(tmp_path / "notes" / "run"), Stop(must_not_train, train=1)]
    with pytest.raises(OSError, match="notes"):
        make_vae().fit(grey, verbose=0, callbacks=callbacks)


def test_a_full_disk_ends_the_training_and_loses_neither_the_file_nor_the_epochs_before(begin, tmp_path, monkeypatch):
    whole = os.fsync

    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left"):
        # The file of the first epoch is written; that of the second is not.
        begin(epochs=3, callbacks=[Stop(lambda: monkeypatch.setattr(os, "fsync", full), train=2)])
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    monkeypatch.setattr(os, "fsync", whole)
    assert len(begin(epochs=2).history.history["loss"]) == 2


def test_the_folder_of_the_file_is_made(make_vae, grey, tmp_path):
    make_vae().fit(grey, epochs=0, callbacks=[vh.resumable(str(tmp_path / "new" / "folder" / "run"))])
    assert (tmp_path / "new" / "folder" / "run").is_file()


# Stopped by hand


def one_by_one(vae):
    vae.compile(keras.optimizers.SGD(1e-3), steps_per_execution=1)
    return vae


def assert_usable(vae, x):
    assert np.isfinite(list(vae.evaluate(x, verbose=0, return_dict=True).values())).all()
    assert np.isfinite(vae.encode(x)[0]).all() and np.isfinite(vae.reconstruct(x)).all()
    assert len(vae.fit(x, epochs=2, batch_size=16, verbose=0).history["loss"]) == 2


@pytest.mark.parametrize(
    "moment, epochs, place",
    [
        (dict(train=7), 2, "in epoch 3 of 5, after 1 of its steps"),
        (dict(test=2), 0, "in epoch 1 of 5, after 3 of its steps"),
    ],
    ids=["training", "validation"],
)
def test_control_c_leaves_a_model_to_use_and_its_history(make_vae, grey, capsys, moment, epochs, place):
    vae = one_by_one(make_vae())
    before = vae.get_weights()
    with pytest.raises(KeyboardInterrupt):
        vae.fit(grey, epochs=5, batch_size=16, validation_data=grey, verbose=0, callbacks=Stop(control_c, **moment))
    assert f"Stopped by hand {place}. The model keeps what it learned.\n" in capsys.readouterr().out
    assert [len(values) for values in vae.history.history.values()] == (6 * [epochs] if epochs else [])
    assert vae.history.epoch == list(range(epochs))
    assert any((old != new).any() for old, new in zip(before, vae.get_weights()))
    assert_usable(vae, grey)


def test_control_c_while_keras_traces_the_step_leaves_a_model_to_use(make_vae, grey, capsys, monkeypatch):
    vae = make_vae()
    with monkeypatch.context() as patch:
        whole = vae.compute_loss
        patch.setattr(vae, "compute_loss", lambda *given, **named: control_c() or whole(*given, **named))
        with pytest.raises(KeyboardInterrupt):
            vae.fit(grey, batch_size=16, verbose=0)
    assert "Stopped by hand in epoch 1 of 1, after " in capsys.readouterr().out
    assert vae.history.history == {}
    assert_usable(vae, grey)


def test_control_c_before_keras_has_begun_is_not_lost(make_vae, grey, capsys, monkeypatch):
    vae = make_vae()
    with monkeypatch.context() as patch:
        patch.setattr(vae, "_assert_compile_called", lambda _: control_c())  # the first thing that Keras does
        with pytest.raises(KeyboardInterrupt):
            vae.fit(grey, verbose=0)
    assert "Stopped by hand in epoch 1 of 1, after 0 of its steps." in capsys.readouterr().out
    assert vae.history.history == {}
    assert_usable(vae, grey)


class Dies:
    def __del__(self):
        control_c()


def test_control_c_in_a_destructor_is_not_lost(make_vae, grey):
    vae = one_by_one(make_vae())
    with pytest.raises(KeyboardInterrupt):
        vae.fit(grey, epochs=5, batch_size=16, verbose=0, callbacks=Stop(lambda: Dies() and None, train=2))
    assert vae.history.epoch == []
    assert_usable(vae, grey)


def test_control_c_after_the_last_step_is_not_lost(make_vae, grey):
    vae = one_by_one(make_vae())
    last = keras.callbacks.LambdaCallback(on_train_end=lambda logs: control_c())
    with pytest.raises(KeyboardInterrupt):
        vae.fit(grey, batch_size=16, verbose=0, callbacks=[last])
    assert vae.history.epoch == [0]


def test_a_second_control_c_does_not_wait_for_the_step(make_vae, grey):
    vae, seen = one_by_one(make_vae()), []

    def twice():
        control_c()
        control_c()
        seen.append("went on")

    with pytest.raises(KeyboardInterrupt):
        vae.fit(grey, batch_size=16, verbose=0, callbacks=Stop(twice, train=1))
    assert seen == []
    assert_usable(vae, grey)


def test_whoever_handles_control_c_keeps_doing_so(make_vae, grey):
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append("mine"))
    vae = one_by_one(make_vae())
    vae.fit(grey, batch_size=16, verbose=0, callbacks=Stop(control_c, train=1))
    assert heard == ["mine"] and vae.history.epoch == [0]
    signal.signal(signal.SIGINT, before)
    vae.fit(grey, verbose=0)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_training_in_another_thread_works(make_vae, grey):
    vae = make_vae()
    thread = threading.Thread(target=lambda: vae.fit(grey, verbose=0))
    thread.start()
    thread.join()
    assert vae.history.epoch == [0]


@pytest.mark.long
def test_control_c_at_thirty_random_moments_leaves_a_model_to_use(make_vae, grey):
    moments = random.Random(0)
    for _ in range(30):
        vae = make_vae(optimizer=keras.optimizers.Adam())
        timer = threading.Timer(moments.uniform(0.01, 2.5), os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            vae.fit(grey, epochs=100_000, batch_size=16, validation_data=grey, verbose=0)
        timer.join()
        assert len({len(values) for values in [*vae.history.history.values(), vae.history.epoch]}) <= 2
        assert_usable(vae, grey)
