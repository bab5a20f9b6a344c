"""How a check works: call the student's function, compare with an independent computation, name the mistake."""

import contextlib
import copy
import functools
import inspect
import re
import sys
import textwrap
import time
import traceback

import numpy as np
import tensorflow as tf
from keras import ops

from vae_helpers.exercises import verdicts
from vae_helpers.exercises.narrow import narrow
from vae_helpers.exercises.results import NARROW, all_same, apply, show, slope
from vae_helpers.exercises.surroundings import ShortOutput, as_before, settings_as_before, while_waiting

_LINE_LENGTH = 108  # a cell's output is about so wide on a projector
_MESSAGE_LENGTH = 300  # of an error; TensorFlow's can fill a page
_MOST_NUMBERS = 10**7  # in a result; no exercise asks for so many
_MOST_SECONDS = 25  # in the student's function, in all calls together
_SLOW = 4  # seconds in all calls together that are told


class _Done(Exception):  # noqa: N818 - not an error: the check has said what there is to say
    pass


class _Unjudged(Exception):  # noqa: N818 - a trial call of the student's function gave nothing to compare
    pass


def exercise(body):
    """Turn body(report) into check(function), which prints what holds and what does not, and never raises.

    body: calls the student's function through the report, and returns what it found right, in a few words.
    """
    names = re.match(r"Exercise [\w.]+ function\(([^)]*)\)", body.__doc__ or "")
    names = names.group(1).split(", ") if names else []

    @functools.wraps(body)
    def check(function):
        report = Report(body.__name__, function, names)
        with as_before(), while_waiting(report.still_waiting):
            try:
                report.right(body(report))
            except _Done:
                pass
            except KeyboardInterrupt:
                report.say("interrupted.")
            except (Exception, SystemExit) as error:  # a result that nobody thought of
                verdicts.record(body.__name__, "wrong")
                report.say(f"the check cannot judge what your function returns ({type(error).__name__}).\n"
                           "It should return numbers in an array.")  # fmt: skip

    check.__signature__ = inspect.Signature([inspect.Parameter("function", inspect.Parameter.POSITIONAL_OR_KEYWORD)])
    return check


class Report:
    """What one check says about one function."""

    def __init__(self, name, function, names=()):
        self.name = name
        self.function = function
        self.names = list(names)  # of the arguments, as the exercise calls them
        self.so_far = ""  # what held before the case at hand; said before a mistake
        self.rtol = NARROW  # wider once a result comes in 16 bits
        self._answers = 0  # how many calls gave something
        self._seconds = 0.0
        self._changed = []
        self._part = None
        self._note = ""
        self._output = ShortOutput(sys.stdout)
        self._stdout = sys.stdout

    def say(self, text, out=None):
        """Print, under the name of the exercise; further lines of the text are indented."""
        start = f"{self.name} · "
        for line in text.split("\n"):
            filled = textwrap.fill(line, _LINE_LENGTH, initial_indent=start, subsequent_indent=" " * len(start))
            print(filled, file=out)
            start = " " * len(start)

    def still_waiting(self):
        """Said from another thread, while the student's function runs."""
        self.say("still computing: your function is slow, or does not come to an end. You can stop the cell.",
                 out=self._stdout)  # fmt: skip

    def wrong(self, text, verdict="wrong"):
        """Print, and end the check."""
        if verdict:
            verdicts.record(self.name, verdict)
        self.say("\n".join([*([self.so_far] if self.so_far and verdict else []), text, *self._notes()]))
        raise _Done

    def right(self, text):
        """Print what was found right, and what the function does besides."""
        verdicts.record(self.name, "right")
        self.say("\n".join(["right: " + text, *self._notes()]))

    def not_yet(self, text):
        """Print, and end the check."""
        self.wrong(f"not yet: {text}", verdict="not yet")

    def _notes(self):
        notes = [self._note] if self._note else []
        if self._changed:
            names = " and ".join(f"`{name}`" for name in self._changed)
            notes.append(f"Your function also changes {names}, which belongs to the caller. Work on a copy: .copy().")
        if self._seconds > _SLOW:
            notes.append(f"It is slow: {self._seconds:.0f} s here. Whole arrays at once are faster than loops.")
        if self._output.cut:
            notes.append(f"(Your function prints much: {self._output.cut} lines more were cut.)")
        return notes

    def run(self, *arguments):
        """What the student's function returns, whatever it is; an error in it is shown as theirs."""
        if not callable(self.function):
            self.wrong(f"give the function itself, not its result: vh.check.{self.name}({self.name}).")
        if self._seconds > _MOST_SECONDS:
            self.wrong(f"your function is too slow to be judged: {self._seconds:.0f} s, and the check is not done. "
                       "So far nothing was wrong.", verdict="not yet")  # fmt: skip
        try:
            return self._call(arguments)
        except KeyboardInterrupt as error:
            text = "interrupted. Your function did not return; look at its loops and at the size of its arrays."
            self.wrong("\n".join([text, self._place(error) or ""]).strip(), verdict="")
        except BaseException as error:
            if hasattr(self.function, "python_function"):  # under @tf.function: try it without
                self._leave_compilation(error)
                return self.run(*arguments)
            if isinstance(error, NotImplementedError) and self._is_own(error):
                self.not_yet("the function raises NotImplementedError.")
            self._show_error(error, arguments)

    def _call(self, arguments):
        given = [_copy(argument) for argument in arguments]
        start = time.perf_counter()
        try:
            with contextlib.redirect_stdout(self._output), settings_as_before():
                value = self.function(*given)
        finally:
            self._seconds += time.perf_counter() - start
            for place, (one, other) in enumerate(zip(arguments, given)):
                name = self.name_of(place)
                if isinstance(one, np.ndarray) and not _equal(one, other) and name not in self._changed:
                    self._changed.append(name)
        return value

    def name_of(self, place):
        return self.names[place] if place < len(self.names) else f"argument {place + 1}"

    def _leave_compilation(self, error):
        self.function = self.function.python_function
        self._note = (
            f"It was judged without its @tf.function: with it, it stops with {type(error).__name__}. Inside "
            "of a compiled function only tensors can be used, no numpy. No exercise asks for one."
        )

    def _is_own(self, error):
        """Whether the student's own code raised this error, and not a library that it calls."""
        entries = traceback.extract_tb(error.__traceback__)
        return entries[-1].filename == _file_of(self.function)

    def call(self, *arguments):
        """The same, where nothing, or a part that is nothing, means: not yet."""
        value = self.run(*arguments)
        self.finished(value, arguments)
        self._answers += 1
        return value

    def finished(self, value, arguments=()):
        """Say "not yet" of a value that is None or …, or has such a part; after an answer, say for which case."""
        for part in value if isinstance(value, (tuple, list)) else [value]:
            if part is not None and part is not Ellipsis:
                continue
            if self._answers and arguments:
                self.wrong(f"the function returns {part} in one case, for\n{self.show(arguments)}\n"
                           "Does each of its branches return something?")  # fmt: skip
            self.not_yet(f"the function returns {part}.")

    def show(self, arguments):
        """The arguments of a case by their names, in one line or a few."""
        return show(arguments, self.names)

    def _show_error(self, error, arguments=()):
        place, message = self._place(error), " ".join(_plain(str(error)).split())
        if len(message) > _MESSAGE_LENGTH:
            message = message[:_MESSAGE_LENGTH].rsplit(" ", 1)[0] + " …"
        if place is None and isinstance(error, TypeError):
            hint = "\nThis is a class; give one of its objects." if inspect.isclass(self.function) else ""
            self.wrong(f"your function does not take the arguments of the exercise.\nPython says: {message}{hint}")
        case = f"This happens for {self.show(arguments)}; it does not in all cases." if self._answers else ""
        lines = [f"your code stopped with {type(error).__name__}: {message}", place, _hint(error), case]
        self.wrong("\n".join(line for line in lines if line))

    def _place(self, error):
        """The last line of the student's own code that was running, or None if it was never entered."""
        file, place = _file_of(self.function), None
        for entry in traceback.extract_tb(error.__traceback__.tb_next):  # the first entry is the call above
            if entry.filename == file:
                place = f"line {entry.lineno}: {entry.line}"
        return place

    def array(self, *arguments):
        """What the student's function returns, as a numpy array of float64."""
        return self.as_array(self.call(*arguments))

    def as_array(self, value):
        """A value that the student's function returned, as a numpy array of float64."""
        self.finished(value)
        if isinstance(value, np.ndarray) and value.size > _MOST_NUMBERS:  # before it is copied as float64
            self.wrong(f"the result has shape {value.shape}: far too many numbers. Print the shapes of your arrays.")
        try:
            return self._numbers(value)
        except _Unjudged:
            hint = ""
            if inspect.iscoroutine(value):
                value.close()
                hint = "\nIt is an `async` function; write a plain `def`."
            elif inspect.isgenerator(value):
                hint = "\nWrite `return` in place of `yield`, and brackets [ ] around a loop."
            self.wrong(f"your function returns {_what(value)}; it should return numbers in an array.{hint}")

    def _numbers(self, value):
        try:
            if isinstance(value, np.ndarray) and value.dtype == object:
                value = _from_objects(value)
            array = np.asarray(ops.convert_to_numpy(value))
            if array.dtype.kind not in "cmMSU":  # complex numbers, times and text
                if array.dtype.itemsize == 2 and array.dtype.kind not in "iu":  # 16 bits: three digits
                    self.rtol = 6e-3
                return array.astype("float64")
        except Exception:
            pass  # a dict, rows of different length, an object …
        raise _Unjudged

    def part(self, index):
        """The same report for one part of a result that has several."""
        other = copy.copy(self)
        other._part = index
        return other

    def trial(self, *arguments):
        """The result for other arguments, in search of a cause; None if the function gives none there."""
        try:
            with settings_as_before(), contextlib.redirect_stdout(None):
                value = self._numbers(self.function(*(_copy(argument) for argument in arguments)))
                return value if self._part is None else value[self._part]
        except Exception:
            return None

    def compare(self, cases, right, mistakes, axes="", parts=(), each=None):
        """Compare the function with `right` on each case; if they differ, name the mistake.

        cases: tuples of arguments. right: the independent computation, on the same arguments as numpy arrays.
        mistakes: pairs (text, computation): the first whose results the function gives on all cases is named.
        axes: what the shape of the result means, for the message about a wrong shape.
        parts: pairs (name, computation) of the terms whose sum is the result, for mistakes in one or two of them.
        each: the computation without its last step, a sum over all axes that the result does not have.
        """
        found = self._answers_to(cases)
        expected = [apply(right, case) for case in cases]
        if all_same(found, expected, self.rtol):
            return
        for text, mistake in mistakes:
            known = [apply(mistake, case) for case in cases]
            if all_same(found, known, self.rtol) or _same_where_finite(found, known, self.rtol):
                self.wrong(text)
        self.wrong(narrow(self, cases, found, expected, right, mistakes, axes, parts, each))

    def gradients(self, case, right, places, needed=True):
        """Compare the gradient of the sum of the result, to the arguments at `places`, with that of `right`.

        needed: whether a result without any gradient, such as one of numpy, is a mistake.
        """
        with tf.GradientTape() as tape:
            tape.watch([case[place] for place in places])
            value = self.call(*case)
            total = _total(value)
        found = tape.gradient(total, [case[place] for place in places])
        names = [f"`{self.name_of(place)}`" for place, one in zip(places, found) if one is None]
        if names and (needed or len(names) < len(places)):
            self.wrong(f"the values are right, but no gradient reaches {' and '.join(names)}: {cut_by(value)}")
        for place, one in zip(places, found):
            if one is not None:
                self._compare_slope(case, right, place, np.asarray(ops.convert_to_numpy(one), "float64"))

    def _compare_slope(self, case, right, place, found):
        wanted, argument = slope(right, case, place), np.asarray(case[place], "float64")
        off = ~np.isclose(found, wanted, rtol=2e-2, atol=2e-3)
        if not off.any():
            return
        at = np.unravel_index(np.argmax(off), off.shape)
        text = f"the values are right, but not the gradient: where `{self.name_of(place)}` is {argument[at]:.4g} it is "
        if not np.isfinite(found[at]):
            self.wrong(text + f"{found[at]}, not a finite number. With `where`, the branch that is not picked must be "
                       "finite, too: give it a harmless number.")  # fmt: skip
        self.wrong(text + f"{found[at]:.3g}; it should be {wanted[at]:.3g}. Is a part cut off, rounded, stopped, or "
                   "computed with numpy?")  # fmt: skip

    def _answers_to(self, cases):
        values = [self.run(*case) for case in cases]
        nothing = [value is None or value is Ellipsis for value in values]
        if not any(nothing):
            self._answers += len(cases)
            for value in values:
                self.finished(value)
            return [self.as_array(value) for value in values]
        if all(nothing):
            self.finished(values[0])
        place = nothing.index(True)
        self._answers += 1
        self.finished(values[place], cases[place])


def _same_where_finite(found, known, rtol):
    """Of results with NaN or infinity: whether the other numbers, if they are enough, are those of a known mistake."""
    if any(one.shape != other.shape for one, other in zip(found, known)):
        return False
    one, other = (np.concatenate([array.ravel() for array in arrays]) for arrays in (found, known))
    both = np.isfinite(one) & np.isfinite(other)
    if np.isfinite(one).all() or both.sum() < max(4, len(one) / 4) or len(np.unique(one[both])) < 4:
        return False
    return np.allclose(one[both], other[both], rtol=rtol, atol=rtol / 10)


def _equal(one, other):
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _plain(text):
    """Without the codes for colours in a terminal."""
    return re.sub(r"\x1b?\[\d+(;\d+)*m", "", text)


def _total(value):
    """The sum of a result as a tensor, also of a list or an array of tensors."""
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype == object):
        return sum(_total(part) for part in value)
    return ops.sum(ops.convert_to_tensor(value))


def cut_by(value):
    """Why no gradient comes through to a result."""
    if tf.is_tensor(value):
        return "something cuts the connection: stop_gradient, or a detour over numpy."
    return "compute with keras.ops; numpy functions cut the connection."


def _from_objects(value):
    """An array of objects that are numbers or arrays, as an array of numbers."""
    rows = [np.asarray(ops.convert_to_numpy(part), dtype="float64") for part in value.ravel()]
    return np.stack(rows).reshape(value.shape + rows[0].shape)


def _file_of(function):
    """The file, or the cell of a notebook, in which a function is written."""
    function = inspect.unwrap(function)  # under a decorator
    function = getattr(function, "func", function)  # in a functools.partial
    if not hasattr(function, "__code__"):  # an object; the code of a Keras layer is in `call`
        function = getattr(type(function), "call", type(function).__call__)
    code = getattr(function, "__code__", None)
    return getattr(code, "co_filename", None)


def _what(value):
    """The type of a result, in words, and for arrays the type of what is in it."""
    name = type(value).__name__
    if isinstance(value, np.ndarray) or ops.is_tensor(value):
        return f"an array of type {getattr(value.dtype, 'name', value.dtype)}"
    return f"a {name} that does not become one array" if isinstance(value, (list, tuple)) else f"a {name}"


def _copy(argument):
    """Arrays are copied, so that a function that changes its input does not spoil the check."""
    return argument.copy() if isinstance(argument, np.ndarray) else argument


def _hint(error):
    """A sentence for errors whose own words do not say what to do."""
    text = str(error)
    if isinstance(error, MemoryError) or "OOM" in text:
        return "Your function asks for more memory than there is: print the shapes of its arrays."
    if isinstance(error, RecursionError):
        return "Your function calls itself without end."
    if "o gradients provided" in text or "gradients were provided" in text:
        return "Nothing connects the loss with the parameters: compute it inside the block of the GradientTape."
    if "matmul" in text.lower() and "mismatch" in text:
        return "A product a @ b needs as many columns in a as b has rows. Print both shapes; .T swaps rows and columns."
    if "could not be broadcast" in text:
        return "These shapes do not fit. numpy compares them from the last axis; [:, None] makes a list a column."
    if "mean and cov must have same length" in text:
        return "The covariance has the wrong size: np.cov takes one variable per row, and your codes are the rows."
    if "_unique_id" in text:
        return "optimizer.apply takes the gradients first, then the variables."
    if "has no attribute 'numpy'" in text:
        return "Inside a compiled step there are no values yet: use keras.ops in place of .numpy()."
    return ""


def numbers(*shape, seed=0):
    """Random numbers for a case, the same at every call."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def tensors(*arrays):
    """The arguments of a case as tensors, as an encoder gives them."""
    return tuple(ops.convert_to_tensor(np.asarray(array, dtype="float32")) for array in arrays)


def pair(values):
    """(1.00, 2.00), for a message."""
    return "(" + ", ".join(f"{value:.2f}" for value in values) + ")"
