"""The run profile (full or quick), the seed, the one-line banner, and the figures that a lesson states."""

import contextlib
import gc
import os
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def _muted_stderr():
    """Hide what TensorFlow's C++ libraries print while they load.

    No environment variable reaches those lines (tensorflow#100442), and a red page is a poor welcome.
    What was hidden is shown again if the import fails.
    """
    with tempfile.TemporaryFile() as hidden:
        saved = os.dup(2)
        os.dup2(hidden.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            if failed:
                hidden.seek(0)
                os.write(2, hidden.read())


with _muted_stderr():
    import keras
    import numpy as np
    import tensorflow as tf

    tf.config.list_physical_devices()  # the search for a GPU prints too, and would do so in the middle of a lesson

# What the quick profile makes of the counts that a lesson asks for: the largest value it allows.
QUICK_LIMITS = {"epochs": 1, "budget": 1, "seeds": 1, "grid": 6, "samples": 64}

_stand_ins = set()
_figures = {}  # (what, at_least, at_most) → "as stated", "off" or "not compared"; a cell that runs again counts once


@dataclass(frozen=True)
class Settings:
    """What `run_settings` decided. Counts are read as attributes: `settings.epochs`, `settings.grid`."""

    profile: str
    seed: int
    counts: dict = field(default_factory=dict)

    def saved(self, name):
        """The path for a file that a later lesson reads, such as "conv_vae.keras": saved/full/… or saved/quick/….

        The folder is made here, beside the notebook, so that a training does not end at a path that is not there.
        """
        folder = Path("saved") / self.profile
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def __getattr__(self, name):
        try:
            return self.__dict__["counts"][name]
        except KeyError:
            raise AttributeError(f"settings has no {name!r}: ask for it in the call, run_settings({name}=…).") from None


def profile():
    """The run profile: "full", unless the environment variable VAE_HELPERS_PROFILE says "quick"."""
    name = os.environ.get("VAE_HELPERS_PROFILE", "full")
    if name not in ("full", "quick"):
        raise ValueError(f"VAE_HELPERS_PROFILE is {name!r}; it must be 'full' or 'quick' (or not set).")
    return name


def global_generator():
    """The SeedGenerator behind `keras.random` without a seed. Keras has no public name for it."""
    from keras.src.random.seed_generator import global_seed_generator

    return global_seed_generator()


def run_settings(seed=0, **counts):
    """Seed everything, print one line that says what will run, and return the settings.

    seed: an integer for the random generators of Python, numpy, TensorFlow and Keras. Run again from here on, the same
        code gives the same numbers, bit for bit, in the same process or in another one: on the same machine, that is
        with the same versions and the same number of CPU cores, which decides in which order long sums are added.
        For a GPU, TensorFlow promises this only after `tf.config.experimental.enable_op_determinism()`.
    counts: how many `epochs`, `seeds`, `grid` tiles per side and `samples` the lesson wants, and the `budget` of
        epochs that each model gets in a comparison. The full profile keeps them; the quick profile reduces each to
        QUICK_LIMITS.

    Returns a Settings with the profile, the seed and the counts as attributes.
    Raises ValueError for an unknown count or one below 1.
    """
    for name, value in counts.items():
        if name not in QUICK_LIMITS:
            raise ValueError(f"run_settings knows {', '.join(QUICK_LIMITS)}; not {name!r}.")
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1.")
    quick = profile() == "quick"
    if quick:
        counts = {name: min(value, QUICK_LIMITS[name]) for name, value in counts.items()}
    global_generator().state.assign([seed, 0])  # set_random_seed of Keras 3.6 leaves this one as it was
    keras.utils.set_random_seed(seed)
    _stand_ins.clear()
    _figures.clear()
    gpus = len(tf.config.list_physical_devices("GPU"))
    parts = [
        f"{profile()} profile" + (" (small data, short training)" if quick else ""),
        f"seed {seed}",
        *(f"{name} {value}" for name, value in counts.items()),
        f"TensorFlow {tf.__version__}",
        f"Keras {keras.__version__}" + _backend_note(),
        f"{os.cpu_count()} CPU cores",
        f"{gpus} GPU" if gpus else "no GPU",
    ]
    print(" · ".join(parts))
    return Settings(profile(), seed, counts)


def _backend_note():
    """Empty on TensorFlow; a warning elsewhere, because the lessons use GradientTape and tf.data."""
    backend = keras.backend.backend()
    return "" if backend == "tensorflow" else f" on {backend} (the lessons need KERAS_BACKEND=tensorflow)"


def note_stand_in(name):
    """Remember that other data stands in for the data set `name`: its figures cannot be expected."""
    _stand_ins.add(name)


def expect(what, value, at_least=None, at_most=None, everywhere=False, look_at=""):
    """State what the reader should have measured, beside what was measured.

    what: a few words that name the figure and its unit.
    value: the measured number.
    at_least, at_most: the bounds; give one or both.
    everywhere: True where the bounds hold for any data and any length of training. Otherwise they are
        compared only on the full profile with the data set the lesson asked for.
    look_at: what to look at when the figure is off.

    Prints nothing when all is well, and one line when the figure is off; it never stops a reader. With the environment
    variable VAE_HELPERS_STRICT=1, which the build and the tests set, a figure that is off raises AssertionError.
    """
    if at_least is None and at_most is None:
        raise ValueError("expect needs at_least, at_most or both: without a bound it checks nothing.")
    value, figure = float(value), (what, at_least, at_most)
    if not everywhere and (profile() == "quick" or _stand_ins):
        _figures[figure] = "not compared"
        return
    high_enough = at_least is None or value >= at_least
    low_enough = at_most is None or value <= at_most
    _figures[figure] = "as stated" if high_enough and low_enough else "off"
    if _figures[figure] == "as stated":
        return
    bounds = " and ".join(
        f"{word} {bound:g}" for word, bound in (("at least", at_least), ("at most", at_most)) if bound is not None
    )
    hint = look_at or "did every cell above run, in order, with the numbers as they stand in the lesson?"
    message = f"{what}: {value:.4g} (expected {bounds}) · OFF. Look at this: {hint}"
    print(message)
    if os.environ.get("VAE_HELPERS_STRICT") == "1":
        raise AssertionError(message)


def figures_compared():
    """Print one line: how many numbers `expect` has compared with the text since `run_settings`, and which are off."""
    results = list(_figures.values())
    off = [what for (what, *_), result in _figures.items() if result == "off"]
    skipped = results.count("not compared")
    compared = len(results) - skipped
    parts = []
    if compared or not skipped:
        verdict = f"{len(off)} off ({'; '.join(off)})" if off else "all as stated"
        parts.append(f"{_numbers(compared)} compared with the text: {verdict}")
    if skipped:
        parts.append(f"{_numbers(skipped)} not compared: small data or short training")
    print(" · ".join(parts))


def _numbers(count):
    return "1 number" if count == 1 else f"{count} numbers"


@contextlib.contextmanager
def aside():
    """What runs inside leaves the random numbers that come after it, and the count of figures, as if it had not run.

    The build executes the cells that only test the course in it, because the students' edition does not contain them:
    the numbers stored there must be those that a student gets.
    """
    from keras.src.backend.common import global_state
    from tensorflow.python.eager import context

    common = global_state.get_global_attribute("global_seed_generator")  # None until something has drawn from it
    operations = context.context()._rng  # numbers the random operations; TensorFlow has no public name for it
    generators = [one for one in gc.get_objects() if type(one) is keras.random.SeedGenerator]  # those of models, too
    states = [generator.state.numpy() for generator in generators]
    python, numpy, tensorflow, figures = random.getstate(), np.random.get_state(), operations.getstate(), dict(_figures)
    operations.seed("aside")  # other numbers: an operation that is met again would go on where it stopped
    try:
        yield
    finally:
        for generator, state in zip(generators, states):
            generator.state.assign(state)
        global_state.set_global_attribute("global_seed_generator", common)
        random.setstate(python)
        np.random.set_state(numpy)
        operations.setstate(tensorflow)
        _figures.clear()
        _figures.update(figures)
