"""What holds for every check: unfinished, careless and hostile functions are answered, and nothing is raised."""

import functools
import math
import os
import random
import re
import signal
import sys
import threading
import time
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tables import LESSONS, solutions

import vae_helpers as vh

RIGHT = solutions()
NAMES = sorted(RIGHT)


@pytest.mark.parametrize("name", NAMES)
def test_a_check_answers_soon(said, name):
    seconds = []
    while len(seconds) < 3 and min(seconds, default=9) > 2:  # again, in case that the computer was busy
        start = time.perf_counter()
        said(name, RIGHT[name])
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 2


# Not written yet, and given something else than the function


def stub(*arguments):
    """What a student finds in the lesson."""


def unfinished(*arguments):
    raise NotImplementedError("to do")


@pytest.mark.parametrize("name", NAMES)
def test_unfinished_is_not_yet(said, name):
    for function in (stub, lambda *arguments: ..., lambda *arguments: (None, None), lambda *arguments: [..., ...]):
        assert f"{name} · not yet: the function returns" in said(name, function)
    assert f"{name} · not yet: the function raises" in said(name, unfinished)


@pytest.mark.parametrize("name", NAMES)
def test_something_else_than_the_function(said, name):
    for value in (None, "text", 3.0, np.zeros(3), [1, 2], ops.zeros(3)):
        assert "give the function itself" in said(name, value)

    class Empty:
        pass

    class Holder:
        def __init__(self, *arguments):
            pass

    assert "does not take the arguments" in said(name, Empty)
    assert "returns a Holder" in said(name, Holder)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_number_of_arguments(said, name):
    for function in (lambda: 1, lambda a, b, c, d, e, f, g, h: 1, lambda *arguments, extra: 1):
        text = said(name, function)
        assert "does not take the arguments of the exercise" in text
        assert "argument" in text.split("Python says:")[1]


# Errors in the student's code


def helper(x):
    return {}["missing"]  # the helper's line


def fails_in_numpy(*arguments):
    values = np.ones((2, 3))
    return np.linalg.inv(values)  # the line in question


def fails_in_tensorflow(*arguments):
    values = ops.ones((2, 3))
    return ops.matmul(values, values)  # the line in question


def fails_in_a_helper(*arguments):
    return helper(arguments)


def fails_with_type_error(*arguments):
    return "text" + 1  # the line in question


class FailingLayer(keras.layers.Layer):
    def call(self, *arguments):
        return ops.matmul(ops.ones((2, 3)), ops.ones((2, 3)))  # the line in question


def talks_too_much(*arguments):
    raise ValueError("word " * 2000)


def leaves(*arguments):
    sys.exit(3)


def calls_itself(*arguments):
    return calls_itself(*arguments)


def asks_for_too_much(*arguments):
    return np.zeros((10**6, 10**6, 10**4))


class NoWordsError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class NotAnError(BaseException):
    pass


def raises(error):
    def function(*arguments):
        raise error

    return function


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "function, phrases",
    [
        (fails_in_numpy, ["LinAlgError", "return np.linalg.inv(values) # the line in question"]),
        (fails_in_tensorflow, ["InvalidArgumentError", "return ops.matmul(values, values) # the line in question"]),
        (fails_in_a_helper, ["KeyError: 'missing'", 'return {}["missing"] # the helper\'s line']),
        (fails_with_type_error, ["TypeError", "the line in question"]),
        (functools.partial(fails_with_type_error, 1), ["TypeError", "the line in question"]),
        (np.errstate(all="ignore")(fails_with_type_error), ["TypeError", "the line in question"]),
        (leaves, ["SystemExit: 3", "sys.exit(3)"]),
        (calls_itself, ["RecursionError", "calls itself without end", "return calls_itself"]),
        (asks_for_too_much, ["MemoryError", "more memory than there is", "np.zeros((10**6"]),
        (raises(NotAnError("odd")), ["NotAnError: odd", "raise error"]),
        (raises(GeneratorExit()), ["GeneratorExit", "raise error"]),
        (raises(AssertionError()), ["AssertionError", "raise error"]),
        (raises(KeyboardInterrupt()), ["interrupted. Your function did not return", "raise error"]),
    ],
)
def test_an_error_is_shown_as_the_students(said, name, function, phrases):
    text = said(name, function)
    assert "your code stopped with" in text or "interrupted" in text
    assert re.search(r"line \d+: \S", text)
    for phrase in phrases:
        assert phrase in text


@pytest.mark.parametrize("name", NAMES)
def test_long_messages_are_cut(said, name):
    text = said(name, talks_too_much)
    assert "ValueError: word word" in text and "…" in text
    assert len(text) < 500


def test_an_error_without_words(said):
    assert "walk · " in said("walk", raises(NoWordsError()))


def test_an_error_in_a_layer_shows_the_line(said):
    assert "# the line in question" in said("gaussian_kl", FailingLayer())


def test_code_without_a_file(said):
    space = {}
    exec(compile("def walk(start, end, steps):\n    return start / nothing", "<gone>", "exec"), space)
    text = said("walk", space["walk"])
    assert "NameError" in text and "line 2" in text


def test_an_error_in_a_compiled_function_shows_the_line(said):
    @tf.function
    def compiled(mean, log_var):
        return tf.matmul(mean, log_var)  # the line in question

    text = said("gaussian_kl", compiled)
    assert "your code stopped with" in text
    assert "tf.matmul(mean, log_var)" in text


# Endless loops


def loops(*arguments):
    end = time.monotonic() + 20  # a test that fails should end as well
    while time.monotonic() < end:
        pass


def loops_in_numpy(*arguments):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        np.linalg.svd(np.ones((50, 50)))


@pytest.mark.parametrize(
    "name, loop", [("walk", loops), ("walk", loops_in_numpy), ("reparameterize", loops), ("train_step", loops_in_numpy)]
)
def test_an_endless_loop_can_be_interrupted(said, name, loop):
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))

    @functools.wraps(loop)
    def function(*arguments):
        timer.start()
        loop()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        text = said(name, function)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
    assert "interrupted. Your function did not return" in text
    assert re.search(r"line \d+: (while|pass|np)", text)
    assert "· right" in said(name, RIGHT[name])


class Interrupted:
    """A result during whose conversion Ctrl-C is pressed."""

    def __array__(self, *arguments, **options):
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupt_in_the_check_itself(said, name):
    assert f"{name} · interrupted" in said(name, lambda *arguments: Interrupted())


# Results that are no answer

NONSENSE = [
    "text", b"bytes", "3", ["1", "2"], {}, {"a": 1}, {1, 2}, object(), [[1, 2], [3]], [[1], 2], 1j, np.ones(5) * 1j,
    tf.constant(["a", "b"]), np.array(["1", "2"]), np.datetime64("2020"), np.timedelta64(1), (i for i in range(3)),
    [], (), np.zeros(0), np.zeros((0, 2)), np.zeros((1, 1, 1, 1, 1, 1)), math.nan, math.inf, True, False, -1, 10**400,
    len, int, np, keras.KerasTensor((3,)), tf.ragged.constant([[1.0], [2.0, 3.0]]), tf.sparse.eye(3),
    np.ma.masked_array([1.0, 2.0], [True, False]), np.broadcast_to(1.0, (10**6, 10**6)), np.array([object()]),
    [ops.ones(2), ops.ones(3)], keras.Variable(np.ones(3)), tf.data.Dataset.range(3), slice(3), Ellipsis,
    NotImplemented,
    np.zeros(3, dtype=[("a", "f4")]), [None, 1.0], range(3), memoryview(b"abc"), np.float16(3), (object(), object()),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_nonsense_is_never_right(said, name):
    for value in NONSENSE[:: 5 if name in ("train_step", "chain_step") else 2]:  # which builds a model each time
        text = said(name, lambda *arguments, value=value: value)
        assert "· right" not in text, type(value)
        assert "cannot judge" not in text, type(value)


def test_nonsense_is_named(said):
    for value, phrase in [
        ({"a": 1}, "returns a dict; it should return numbers"),
        ([[1, 2], [3]], "returns a list that does not become one array"),
        (np.ones(5) * 1j, "returns an array of type complex128"),
        (tf.constant(["a"]), "returns an array of type string"),
        (keras.KerasTensor((3,)), "returns a KerasTensor"),
        ((i for i in range(3)), "returns a generator"),
        (np.broadcast_to(1.0, (10**6, 10**6)), "far too many numbers"),
    ]:
        assert phrase in said("squared_error", lambda x, y, value=value: value)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"fool_the_mig"}))  # its codes are right at any scale
def test_arrays_of_any_shape_are_never_right(said, name):
    """Random numbers, NaN, infinity and 0, in all kinds of shapes and in the shape of the right result."""
    rng = np.random.default_rng(0)

    def spoiled(spoil):
        return lambda *arguments: spoil(np.array(ops.convert_to_numpy(RIGHT[name](*arguments)), dtype="float64"))

    def with_one(value):
        def spoil(array):
            array.flat[-1] = value
            return array

        return spoiled(spoil)

    functions = [with_one(math.nan), with_one(math.inf), with_one(-math.inf)]
    functions += [spoiled(lambda a, f=f: f(a)) for f in (
        lambda a: a + 0.75, lambda a: a * 1.5, lambda a: -a - 1, lambda a: a * 0 + 0.25, lambda a: a * math.nan,
        lambda a: np.stack([a, a]), lambda a: a[:, None] if a.ndim else np.zeros(2), lambda a: 1e300 * (a + 1),
        lambda a: rng.normal(size=a.shape),
    )]  # fmt: skip
    for _ in range(15):
        shape = tuple(rng.choice([0, 1, 2, 3, 4, 5, 6, 12], size=rng.integers(0, 5)))
        functions.append(lambda *arguments, shape=shape: rng.normal(size=shape))
    functions = functions[:: 3 if name in ("train_step", "chain_step") else 2]
    for function in functions:
        text = said(name, function)
        assert "· right" not in text
        assert "cannot judge" not in text


# What a function does besides


@pytest.mark.parametrize("name", NAMES)
def test_prints_and_warnings_do_no_harm(said, name):
    def function(*arguments):
        print("hello")
        warnings.warn("look out", RuntimeWarning, stacklevel=1)
        np.log(np.array([-1.0, 0.0])) + np.float32(1e38) * np.float32(1e38)
        return RIGHT[name](*arguments)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = said(name, function)
    assert "hello" in text and "· right" in text
    assert "Warning" not in text


def next_numbers():
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    return [
        keras.random.normal((3,)).numpy().tolist(),
        tf.random.normal((3,)).numpy().tolist(),
        np.random.rand(3).tolist(),
        random.random(),
        dense.get_weights()[0].tolist(),
    ]


def restart():
    keras.utils.clear_session(free_memory=False)  # in Keras 3.6 a new seed alone does not restart keras.random
    keras.utils.set_random_seed(1)


@pytest.mark.parametrize("name", NAMES)
def test_a_check_leaves_the_random_numbers_as_they_were(said, name):
    restart()
    without = next_numbers()
    restart()
    said(name, RIGHT[name])
    assert next_numbers() == without


@pytest.mark.parametrize("name", NAMES)
def test_seeds_that_a_student_sets_end_with_the_check(said, name):
    def function(*arguments):
        np.random.seed(0)
        random.seed(0)
        np.random.rand(3), random.random()
        return RIGHT[name](*arguments)

    numpy_state, python_state = np.random.get_state(), random.getstate()
    said(name, function)
    assert random.getstate() == python_state
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy_state))


def test_seeds_are_restored_after_a_wrong_answer(said):
    state = random.getstate()
    said("walk", lambda *arguments: random.random())
    assert random.getstate() == state


# The list of exercises


def test_the_list_of_exercises_is_complete():
    lessons = [value for name, value in vars(vh.check).items() if re.fullmatch(r"lesson_\d\d|appendix_A\d", name)]
    found = {}
    for lesson in lessons:
        for name, value in vars(lesson).items():
            own = hasattr(value, "__wrapped__") and value.__module__ == lesson.__name__
            if own and not name.startswith("_"):
                found[name] = value
    assert sorted(vh.check.__all__) == list(vh.check.__all__) == sorted(found)
    assert all(getattr(vh.check, name) is value for name, value in found.items())


def test_every_exercise_has_its_number():
    numbers = {}
    for name in NAMES:
        check = getattr(vh.check, name)
        match = re.match(r"Exercise ([\dA]\d?)\.(\d)\. function\(.+\)", check.__doc__)
        assert match, name
        lesson, number = match.groups()
        assert check.__module__.rpartition("_")[2] == lesson.zfill(2)
        numbers.setdefault(lesson, []).append(int(number))
    assert {lesson.zfill(2) for lesson in numbers} == set(LESSONS)
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values())
