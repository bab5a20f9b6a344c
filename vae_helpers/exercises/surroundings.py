"""What a student's function may do to the notebook around it, and what a check puts back or cuts."""

import contextlib
import logging
import random
import sys
import threading
import warnings

import keras
import numpy as np

_MOST_LINES = 40  # that a student's function may print during one check
_MOST_LETTERS = 8000
_PATIENCE = 4  # seconds of computing after which the reader hears that the function is slow


@contextlib.contextmanager
def as_before():
    """Put back random numbers, precision, warnings and messages: the cells after a check run as without it.

    Noise without a seed that the student's function takes from keras.random or tf.random counts as usual.
    """
    python_state, numpy_state, seeds = random.getstate(), np.random.get_state(), _Seeds()
    log = logging.getLogger("tensorflow")
    level = log.level
    try:
        log.setLevel(logging.ERROR)  # it warns of a function under @tf.function that is called with other numbers
        with settings_as_before(), _no_exit():
            yield
    finally:
        log.setLevel(level)
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        seeds.put_back()


@contextlib.contextmanager
def settings_as_before():
    """Numbers of 32 bits, no warnings; afterwards precision, warnings and errors of numpy are as they were."""
    floatx = keras.config.floatx()
    try:
        keras.config.set_floatx("float32")
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        keras.config.set_floatx(floatx)


class _Seeds:
    """The global seeds of TensorFlow and Keras. Neither has a public way to read where its stream stands."""

    _KERAS = ("global_random_seed", "global_seed_generator")

    def __init__(self):
        try:
            from keras.src.backend.common import global_state
            from tensorflow.python.eager import context

            self._context, self._global = context.context(), global_state
        except ImportError:  # a version that keeps them elsewhere
            self._context = None
            return
        self._stream = getattr(self._context, "_rng", None)
        self._seed = getattr(self._context, "_seed", None)
        self._keras = {name: global_state.get_global_attribute(name) for name in self._KERAS}

    def put_back(self):
        """Only if they were set anew: draws without a seed move the streams as anywhere."""
        if self._context is None:
            return
        if getattr(self._context, "_rng", None) is not self._stream and self._stream is not None:
            self._context._seed, self._context._rng = self._seed, self._stream
        now = {name: self._global.get_global_attribute(name) for name in self._KERAS}
        seed, generator = self._KERAS
        replaced = self._keras[generator] is not None and now[generator] is not self._keras[generator]
        if replaced or now[seed] != self._keras[seed]:
            for name, value in self._keras.items():
                self._global.set_global_attribute(name, value)


@contextlib.contextmanager
def _no_exit():
    """In a notebook, exit() and quit() end the kernel: here they raise SystemExit, as in a script."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        yield
        return

    def leave():
        raise SystemExit("exit() would end the notebook")

    shell.ask_exit = leave
    try:
        yield
    finally:
        del shell.ask_exit  # the instance's; the method of the class is back


class ShortOutput:
    """A stream that passes on the first lines and counts the others."""

    def __init__(self, stream):
        self.stream = stream
        self.cut = 0
        self._lines = self._letters = 0

    def write(self, text):
        """Pass the text on, unless enough was printed."""
        lines = text.count("\n")
        if self._lines < _MOST_LINES and self._letters + len(text) < _MOST_LETTERS:
            self._lines += lines
            self._letters += len(text)
            self.stream.write(text)
        else:
            self.cut += max(lines, self.cut == 0)
        return len(text)

    def __getattr__(self, name):
        return getattr(self.stream, name)


@contextlib.contextmanager
def while_waiting(say):
    """Call say() once if the block takes more than a few seconds, while it still runs."""
    timer = threading.Timer(_PATIENCE, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
