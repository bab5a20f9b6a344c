"""What careless functions do besides: it is heard, cut, put back, or told; and the table of progress."""

import csv
import sys
import time
import types
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tables import solutions

import vae_helpers as vh
from vae_helpers.exercises import report as machinery
from vae_helpers.exercises import surroundings, verdicts

RIGHT = solutions()
NAMES = sorted(RIGHT)
ON_ARRAYS = sorted(set(NAMES) - {"train_step", "warm_up_weight", "effective_beta", "transposed_size"})


@pytest.fixture(autouse=True)
def nothing_checked():
    verdicts.forget()
    yield
    verdicts.forget()


def after(name, careless):
    """The plain solution, with something careless done before it."""

    def function(*arguments):
        careless(*arguments)
        return RIGHT[name](*arguments)

    return function


# Inputs


def spoils(*arguments):
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            argument[...] = 0


@pytest.mark.parametrize("name", ["squared_error", "great_circle", "free_bits_kl", "seen_nll", "chain_step"])
def test_a_function_that_changes_its_inputs_hears_it(said, name):
    def afterwards(*arguments):
        result = np.array(ops.convert_to_numpy(RIGHT[name](*arguments)))
        spoils(*arguments)
        return result

    text = said(name, afterwards)
    assert "· right" in text and "Your function also changes `" in text and ".copy()" in text
    text = said(name, after(name, spoils))
    assert "· right" not in text and "Your function also changes `" in text
    assert "Your function also changes" not in said(name, RIGHT[name])


# What is right


@pytest.mark.parametrize("name", NAMES)
def test_a_debug_line_does_no_harm(said, name):
    def look(*arguments):
        for argument in arguments:
            if hasattr(argument, "shape"):
                float(np.max(np.asarray(argument), initial=0))
                argument.numpy() if tf.is_tensor(argument) else argument.copy()

    assert "· right" in said(name, after(name, look))


@pytest.mark.parametrize("name", sorted(set(ON_ARRAYS) - {"auroc", "chain_step"}))
def test_results_in_16_bits_are_right(said, name):
    if name in ("importance_bound", "log_normalizer", "bernoulli_nll", "class_probabilities", "elbo_of_one_draw"):
        pytest.skip("its extremes are too much for 16 bits")
    assert "· right" in said(name, lambda *a: ops.cast(ops.convert_to_tensor(RIGHT[name](*a)), "float16"))


@pytest.mark.parametrize("name", ["squared_error", "kl_between", "mutual_information_gap", "counted_nats"])
def test_an_array_of_objects_is_judged_by_its_numbers(said, name):
    def objects(*arguments):
        rows = list(RIGHT[name](*arguments))
        result = np.empty(len(rows), dtype=object)
        result[:] = rows
        return result

    text = said(name, objects)
    assert "· right" in text or (name == "kl_between" and "no gradient reaches" in text)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"train_step", "draw_fitted", "binarize", "chain_step"}))
def test_under_tf_function(said, name):
    """Right with the decorator, or right without it and told so; the rest draws with numpy's generator."""
    text = said(name, tf.function(RIGHT[name]))
    assert "· right" in text
    assert "judged without its @tf.function" in text or "stopped" not in text


def test_under_tf_function_a_numpy_function_is_not_an_unfinished_one(said):
    @tf.function
    def gaussian_kl(mean, log_var):
        return 0.5 * ops.sum(mean**2 + np.exp(log_var) - 1 - log_var, axis=-1)

    text = said("gaussian_kl", gaussian_kl)
    assert "not yet" not in text and "computed with numpy" in text


def test_one_loop_over_the_rows_is_right(said):
    def reparameterize(mean, log_var, seed):
        noise = keras.random.normal(ops.shape(mean), seed=seed)
        return ops.stack([m + ops.exp(v / 2) * e for m, v, e in zip(mean, log_var, noise)])

    assert "· right" in said("reparameterize", reparameterize)


def test_a_training_step_may_draw_its_own_noise(said):
    def step(drawn):
        def function(vae, optimizer, x, beta):
            with tf.GradientTape() as tape:
                mean, log_var = vae.encoder(x)
                z = mean + ops.exp(0.5 * log_var) * drawn(tf.shape(mean))
                loss = ops.mean(vh.bernoulli_nll(x, vae.decoder(z)) + beta * vh.gaussian_kl(mean, log_var))
            optimizer.apply(tape.gradient(loss, vae.trainable_variables), vae.trainable_variables)
            return loss

        return function

    assert "· right" in said("train_step", step(tf.random.normal))
    assert "· right" not in said("train_step", step(tf.random.uniform))
    assert "· right" not in said("train_step", step(lambda shape: 2 * tf.random.normal(shape)))


# Not yet, only for what is not yet there


def test_a_branch_that_returns_nothing_is_told_with_its_case(said):
    text = said("warm_up_weight", lambda step, steps, beta: beta * step / steps if step < steps else None)
    assert "not yet" not in text and "returns None in one case" in text and "step = 300, steps = 300" in text
    text = said("device_share", lambda losses, batch: losses.sum() / batch if len(losses) else None)
    assert "not yet" not in text and "losses = []" in text


def test_an_error_in_one_case_is_told_with_its_case(said):
    def function(step, steps, beta):
        if steps == 0:
            raise ValueError("steps must be positive")
        return beta * min(step / steps, 1)

    text = said("warm_up_weight", function)
    assert "right, except for steps = 0" in text and "ValueError: steps must be positive" in text
    assert "step = 0, steps = 0" in text


# What is cut, slow, or would end the notebook


def test_much_printing_is_cut(said, capsys):
    def chatter(*arguments):
        for i in range(5000):
            print("line", i, "hello")

    text = said("warm_up_weight", after("warm_up_weight", chatter))
    assert "· right" in text and "lines more were cut" in text
    assert len(text) < 3000


def test_a_slow_function_hears_it(said, monkeypatch):
    monkeypatch.setattr(surroundings, "_PATIENCE", 0.1)
    monkeypatch.setattr(machinery, "_SLOW", 0.3)
    text = said("walk", after("walk", lambda *arguments: time.sleep(0.2)))
    assert "still computing" in text and "· right" in text and "It is slow" in text
    monkeypatch.setattr(machinery, "_MOST_SECONDS", 0.3)
    text = said("warm_up_weight", after("warm_up_weight", lambda *arguments: time.sleep(0.2)))
    assert "· right" not in text and "too slow to be judged" in text


def test_exit_does_not_end_the_notebook(said, monkeypatch):
    class Shell:
        left = False

        def ask_exit(self):
            self.left = True

    shell = Shell()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    text = said("walk", lambda *arguments: shell.ask_exit())  # what exit() in a notebook does
    assert not shell.left and "SystemExit" in text
    shell.ask_exit()
    assert shell.left


# What is put back


@pytest.mark.parametrize("careless", [tf.random.set_seed, keras.utils.set_random_seed], ids=["tf", "keras"])
def test_the_seeds_of_tensorflow_and_keras_are_put_back(said, careless):
    def stream():
        return [tf.random.normal([2]).numpy().tolist(), keras.random.normal((2,)).numpy().tolist()]

    keras.utils.set_random_seed(1)
    stream()
    without = stream()
    keras.utils.set_random_seed(1)
    stream()
    said("walk", after("walk", lambda *arguments: careless(0)))
    assert stream() == without


@pytest.mark.parametrize("name", NAMES)
def test_settings_of_a_function_do_not_reach_the_check(said, name):
    def function(*arguments):
        result = RIGHT[name](*arguments)
        np.seterr(all="raise")
        warnings.simplefilter("error")
        keras.config.set_floatx("float64")
        return result

    before = np.geterr()
    assert "· right" in said(name, function)
    assert np.geterr() == before and keras.config.floatx() == "float32"


def test_floatx_is_put_back_and_does_not_matter(said):
    said("walk", after("walk", lambda *arguments: keras.config.set_floatx("float64")))
    assert keras.config.floatx() == "float32"
    keras.config.set_floatx("float64")
    try:
        assert "· right" in said("reparameterize", RIGHT["reparameterize"])
        assert keras.config.floatx() == "float64"
    finally:
        keras.config.set_floatx("float32")


def test_a_model_that_is_handed_out_may_be_spoiled(said):
    def spoil(vae, image, seen, rng):
        vae.reparameterize = lambda mean, log_var: mean
        vae.encoder.layers[-1].trainable = False
        return image

    said("chain_step", spoil)
    assert "· right" in said("chain_step", RIGHT["chain_step"])


# Progress


def test_a_check_returns_nothing():
    assert all(getattr(vh.check, name)(RIGHT[name]) is None for name in ("walk", "gaussian_kl"))
    assert vh.check.progress() is None


def test_progress_is_a_table_of_the_lessons_that_were_met(said, capsys, tmp_path):
    vh.check.progress()
    assert "No exercise was checked yet" in capsys.readouterr().out
    said("walk", RIGHT["walk"])
    said("squared_error", lambda x, y: x)
    said("pca_reconstruct", lambda *arguments: ...)
    vh.check.progress("Ada", tmp_path / "ada.csv")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "exercise function verdict",
        "1.1 squared_error wrong",
        "1.2 pca_reconstruct not yet",
        "1.3 draw_fitted not yet",
        "1.4 walk right",
        "1 of 4 right",
    ]
    with (tmp_path / "ada.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[3] == {"name": "Ada", "exercise": "1.4", "function": "walk", "verdict": "right"}
    said("squared_error", RIGHT["squared_error"])
    vh.check.progress()
    assert "2 of 4 right" in capsys.readouterr().out


def test_progress_puts_the_appendix_after_the_tenth_lesson(capsys):
    for name in ("spacing", "perplexity", "squared_error"):  # of A1, 10 and 01
        getattr(vh.check, name)(lambda *arguments: None)
    capsys.readouterr()
    vh.check.progress()
    lessons = [line.partition(".")[0] for line in capsys.readouterr().out.splitlines()[1:-1]]
    assert lessons == ["1"] * lessons.count("1") + ["10"] * lessons.count("10") + ["A1"] * lessons.count("A1")
    assert set(lessons) == {"1", "10", "A1"}


def test_a_file_of_progress_needs_a_name(tmp_path):
    with pytest.raises(ValueError, match="needs your name"):
        vh.check.progress(file=tmp_path / "nobody.csv")
