"""The profile, the counts, the seed, the banner, `expect`, and what importing the package costs."""

import dataclasses
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

import vae_helpers as vh
from vae_helpers import settings


@pytest.fixture
def full(monkeypatch):
    monkeypatch.setenv("VAE_HELPERS_PROFILE", "full")


@pytest.mark.parametrize("value, expected", [(None, "full"), ("full", "full"), ("quick", "quick")])
def test_profile_comes_from_the_environment(monkeypatch, value, expected):
    monkeypatch.delenv("VAE_HELPERS_PROFILE")
    if value:
        monkeypatch.setenv("VAE_HELPERS_PROFILE", value)
    assert settings.profile() == expected
    assert vh.run_settings().profile == expected


def test_unknown_profile_names_the_known_ones(monkeypatch):
    monkeypatch.setenv("VAE_HELPERS_PROFILE", "fast")
    with pytest.raises(ValueError, match=r"'fast'.*full.*quick"):
        vh.run_settings()


ASKED = {"epochs": 10, "seeds": 3, "grid": 30, "samples": 500}


@pytest.mark.usefixtures("full")
def test_full_keeps_the_counts():
    kept = vh.run_settings(**ASKED)
    assert {name: getattr(kept, name) for name in ASKED} == ASKED


def test_quick_shrinks_the_counts():
    shrunk = vh.run_settings(**ASKED)
    assert all(1 <= getattr(shrunk, name) < asked for name, asked in ASKED.items())
    assert shrunk.epochs <= 2


def test_quick_never_enlarges_a_count():
    kept = vh.run_settings(epochs=1, seeds=1, grid=2, samples=3)
    assert (kept.epochs, kept.seeds, kept.grid, kept.samples) == (1, 1, 2, 3)


def test_unknown_count_names_the_known_ones():
    with pytest.raises(ValueError, match=r"epochs.*not 'epoch'"):
        vh.run_settings(epoch=10)


@pytest.mark.parametrize("value", [0, -3])
def test_count_below_one_is_refused(value):
    with pytest.raises(ValueError, match=rf"epochs is {value}"):
        vh.run_settings(epochs=value)


def test_a_count_that_was_not_asked_for_says_how_to_ask():
    with pytest.raises(AttributeError, match=r"run_settings\(grid="):
        _ = vh.run_settings(epochs=2).grid


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        vh.run_settings().profile = "full"


def test_the_seed_repeats_python_numpy_and_keras():
    def draw(seed):
        vh.run_settings(seed=seed)
        return random.random(), np.random.rand(), float(keras.initializers.RandomNormal()(()))  # as layers draw

    first, again, other = draw(3), draw(3), draw(4)
    assert first == again
    assert all(a != b for a, b in zip(first, other))


@pytest.mark.parametrize("name, sign", [("quick", "small data"), ("full", "full profile")])
def test_the_banner_is_one_line(monkeypatch, capsys, name, sign):
    monkeypatch.setenv("VAE_HELPERS_PROFILE", name)
    vh.run_settings(seed=5, epochs=1)
    line = capsys.readouterr().out
    assert line.count("\n") == 1 and line.endswith("\n")
    assert all(part in line for part in (sign, "seed 5", "epochs 1", tf.__version__, keras.__version__))


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize(
    "value, bounds",
    [
        (-140, {"at_least": -142}),
        (-142, {"at_least": -142}),
        (3, {"at_most": 3}),
        (2, {"at_least": 1, "at_most": 3}),
        (tf.constant(2.0), {"at_least": 1}),
    ],
)
def test_expect_is_silent_within_the_bounds(capsys, value, bounds):
    vh.expect("test ELBO", value, **bounds)
    assert capsys.readouterr().out == ""


OFF = [
    (-150, {"at_least": -142}),
    (4, {"at_most": 3}),
    (4, {"at_least": 1, "at_most": 3}),
    (float("nan"), {"at_least": 0}),
    (float("nan"), {"at_most": 0}),
]


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("value, bounds", OFF)
def test_expect_stops_a_strict_run_that_is_off(capsys, value, bounds):
    with pytest.raises(AssertionError, match=r"OFF.*the learning rate"):
        vh.expect("test ELBO", value, **bounds, look_at="the learning rate")
    assert "OFF" in capsys.readouterr().out


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("value, bounds", OFF)
def test_expect_never_stops_a_reader(monkeypatch, capsys, value, bounds):
    monkeypatch.delenv("VAE_HELPERS_STRICT")
    vh.expect("test ELBO", value, **bounds, look_at="the learning rate")
    line = capsys.readouterr().out
    assert "OFF" in line and "the learning rate" in line


def test_expect_compares_on_quick_only_what_holds_everywhere(capsys):
    vh.expect("test ELBO", -500, at_least=-142)
    vh.expect("KL", 1, at_least=0, everywhere=True)
    assert capsys.readouterr().out == ""
    with pytest.raises(AssertionError):
        vh.expect("KL", -1, at_least=0, everywhere=True)


@pytest.mark.usefixtures("full")
def test_expect_does_not_compare_stand_in_data_until_the_next_lesson():
    settings.note_stand_in("mnist")
    vh.expect("test ELBO", -500, at_least=-142)
    with pytest.raises(AssertionError):
        vh.expect("KL", -1, at_least=0, everywhere=True)
    vh.run_settings()
    with pytest.raises(AssertionError):
        vh.expect("test ELBO", -500, at_least=-142)


@pytest.fixture
def compared(capsys):
    """A function that gives the line of `figures_compared`."""

    def line():
        capsys.readouterr()
        vh.figures_compared()
        out = capsys.readouterr().out
        assert out.count("\n") == 1 and out.endswith("\n")
        return out.strip()

    return line


@pytest.mark.usefixtures("full")
def test_the_last_line_counts_the_figures(compared):
    assert compared() == "0 numbers compared with the text: all as stated"
    vh.expect("KL", 1, at_least=0)
    assert compared() == "1 number compared with the text: all as stated"
    vh.expect("KL", 1, at_most=2)
    vh.expect("test ELBO", 1, at_most=2)
    assert compared() == "3 numbers compared with the text: all as stated"


@pytest.mark.usefixtures("full")
def test_the_last_line_names_the_figures_that_are_off(monkeypatch, compared):
    monkeypatch.delenv("VAE_HELPERS_STRICT")
    for what, value in [("KL", 1), ("test ELBO", -1), ("test error", -2)]:
        vh.expect(what, value, at_least=0)
    assert compared() == "3 numbers compared with the text: 2 off (test ELBO; test error)"
    vh.expect("test ELBO", 1, at_least=0)  # its cell was run again
    assert compared() == "3 numbers compared with the text: 1 off (test error)"


def test_the_last_line_says_what_was_not_compared(compared):
    vh.expect("test ELBO", -500, at_least=-142)
    vh.expect("test error", 500, at_most=142)
    assert compared() == "2 numbers not compared: small data or short training"
    vh.expect("KL", 1, at_least=0, everywhere=True)
    assert compared() == (
        "1 number compared with the text: all as stated · 2 numbers not compared: small data or short training"
    )


@pytest.mark.usefixtures("full")
def test_a_new_run_counts_from_zero(compared):
    vh.expect("KL", 1, at_least=0)
    vh.run_settings()
    assert compared().startswith("0 numbers")


@pytest.mark.usefixtures("full")
def test_what_runs_aside_leaves_no_trace(compared, make_vae, binary):
    vae = make_vae()

    def draw():
        vae.fit(binary, epochs=1, verbose=0)
        of_keras = float(keras.random.normal(()))
        return random.random(), np.random.rand(), float(tf.random.normal(())), of_keras, vae.evaluate(binary, verbose=0)

    draw()  # the first training draws once more, while Keras prepares the step
    start = vae.get_weights()

    def after(what):
        vh.run_settings(seed=3)
        vae.seed_generator.state.assign([1, 2])
        vae.set_weights(start)
        what()
        vae.set_weights(start)
        return draw()

    def guard():
        draw()
        vh.expect("KL", 1, at_least=0)

    def guard_aside():
        with settings.aside():
            guard()

    untouched, aside, beside = after(lambda: None), after(guard_aside), after(guard)
    assert aside == untouched
    assert all(a != b for a, b in zip(beside, untouched))
    with settings.aside():
        vh.expect("KL", 1, at_least=0)
    assert compared().startswith("1 number ")  # the one of `beside`


def test_expect_needs_a_bound():
    with pytest.raises(ValueError, match="at_least, at_most or both"):
        vh.expect("test ELBO", -140)


IMPORT_AFTER_TENSORFLOW = """
import sys, time
import tensorflow
started = time.perf_counter()
import vae_helpers
print(time.perf_counter() - started)
assert "tensorflow_probability" not in sys.modules
"""


def test_import_adds_less_than_half_a_second_to_tensorflow_and_leaves_probability_alone(run_python):
    # The best of three: a busy machine can only make it slower.
    assert any(float(run_python(IMPORT_AFTER_TENSORFLOW).stdout) < 0.5 for _ in range(3))


def test_files_for_later_lessons_are_kept_apart_by_profile(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    quick = vh.run_settings().saved("model.keras")
    monkeypatch.setenv("VAE_HELPERS_PROFILE", "full")
    full = vh.run_settings().saved("model.keras")
    assert quick.parent.is_dir() and full.parent.is_dir() and quick != full and quick.name == full.name
