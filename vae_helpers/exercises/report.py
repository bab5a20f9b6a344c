"""How a check works: call the student's function, compare with an independent computation, name the mistake."""

import contextlib
import functools
import inspect
import random
import textwrap
import traceback
import warnings

import numpy as np
from keras import ops

_LINE_LENGTH = 108  # a cell's output is about so wide on a projector
_MESSAGE_LENGTH = 300  # of an error; TensorFlow's can fill a page
_MOST_NUMBERS = 10**7  # in a result; no exercise asks for so many


class _Done(Exception):  # noqa: N818 - not an error: the check has said what there is to say
    pass


def exercise(body):
    """Turn body(report) into check(function), which prints what holds and what does not, and never raises.

    body: calls the student's function through the report, and returns what it found right, in a few words.
    """

    @functools.wraps(body)
    def check(function):
        report = Report(body.__name__, function)
        with _same_random_numbers(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                report.say("right: " + body(report))
            except _Done:
                pass
            except KeyboardInterrupt:
                report.say("interrupted.")
            except (Exception, SystemExit) as error:  # a result that nobody thought of
                report.say(f"the check cannot judge what your function returns ({type(error).__name__}).\n"
                           "It should return numbers in an array.")  # fmt: skip

    check.__signature__ = inspect.Signature([inspect.Parameter("function", inspect.Parameter.POSITIONAL_OR_KEYWORD)])
    return check


@contextlib.contextmanager
def _same_random_numbers():
    """A check must not change the random numbers of the cells after it.

    Noise without a seed that the student's function takes from keras.random or tf.random counts as usual.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


class Report:
    """What one check says about one function."""

    def __init__(self, name, function):
        self.name = name
        self.function = function

    def say(self, text):
        """Print, under the name of the exercise; further lines of the text are indented."""
        start = f"{self.name} · "
        for line in text.split("\n"):
            print(textwrap.fill(line, _LINE_LENGTH, initial_indent=start, subsequent_indent=" " * len(start)))
            start = " " * len(start)

    def wrong(self, text):
        """Print, and end the check."""
        self.say(text)
        raise _Done

    def run(self, *arguments):
        """What the student's function returns, whatever it is; an error in it is shown as theirs."""
        if not callable(self.function):
            self.wrong(f"give the function itself, not its result: vh.check.{self.name}({self.name}).")
        try:
            return self.function(*(_copy(argument) for argument in arguments))
        except NotImplementedError:
            self.wrong("not yet: the function raises NotImplementedError.")
        except KeyboardInterrupt as error:
            text = "interrupted. Your function did not return; look at its loops and at the size of its arrays."
            self.wrong("\n".join([text, self._place(error) or ""]).strip())
        except BaseException as error:
            self._show_error(error)

    def call(self, *arguments):
        """The same, where nothing, or a part that is nothing, means: not yet."""
        value = self.run(*arguments)
        self.finished(value)
        return value

    def finished(self, value):
        """Say "not yet" of a value that is None or …, or has such a part."""
        for part in value if isinstance(value, (tuple, list)) else [value]:
            if part is None or part is Ellipsis:
                self.wrong(f"not yet: the function returns {part}.")

    def _show_error(self, error):
        place, message = self._place(error), " ".join(str(error).split())
        if len(message) > _MESSAGE_LENGTH:
            message = message[:_MESSAGE_LENGTH] + " …"
        if place is None and isinstance(error, TypeError):
            self.wrong(f"your function does not take the arguments of the exercise.\nPython says: {message}")
        lines = [f"your code stopped with {type(error).__name__}: {message}", place, _hint(error)]
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
            array = np.asarray(ops.convert_to_numpy(value))
            if array.dtype.kind not in "cmMSU":  # complex numbers, times and text
                return array.astype("float64")
        except Exception:
            pass  # a dict, rows of different length, an object …
        self.wrong(f"your function returns {_what(value)}; it should return numbers in an array.")

    def compare(self, cases, right, mistakes, axes=""):
        """Compare the function with `right` on each case; if they differ, name the mistake.

        cases: tuples of arguments. right: the independent computation, on the same arguments as numpy arrays.
        mistakes: pairs (text, computation): the first whose results the function gives on all cases is named.
        axes: what the shape of the result means, for the message about a wrong shape.
        """
        found = [self.array(*case) for case in cases]
        expected = [_apply(right, case) for case in cases]
        if _all_same(found, expected):
            return
        for text, mistake in mistakes:
            if _all_same(found, [_apply(mistake, case) for case in cases]):
                self.wrong(text)
        self._describe(cases, found, expected, axes)

    def _describe(self, cases, found, expected, axes):
        for one, other in zip(found, expected):
            if one.shape != other.shape:
                self.wrong(f"the result has shape {one.shape}; it should be {other.shape}: {axes}")
        for case, one, other in zip(cases, found, expected):
            if not np.isfinite(one).all():
                self.wrong(f"the result has values that are not finite (NaN or infinity), for\n{_show(case)}")
            factor = _constant_factor(one, other)
            if factor is not None and all(_same(a, factor * b) for a, b in zip(found, expected)):
                self.wrong(f"every value is {factor:.4g} times what it should be.")
        case, one, other = next(triple for triple in zip(cases, found, expected) if not _same(triple[1], triple[2]))
        place = np.unravel_index(np.argmax(np.abs(one - other)), one.shape)
        where = f" at {[int(i) for i in place]}" if place else ""
        self.wrong(f"the value{where} is {one[place]:.4g}; it should be {other[place]:.4g}, for\n{_show(case)}")


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


def _apply(function, case):
    """A computation in numpy on the arguments of a case; tensors become float64 arrays."""
    plain = [np.asarray(a, dtype="float64") if hasattr(a, "dtype") else a for a in case]
    return np.asarray(function(*plain), dtype="float64")


def _same(one, other):
    return one.shape == other.shape and np.allclose(one, other, rtol=2e-4, atol=2e-5, equal_nan=True)


def _all_same(some, others):
    return all(_same(one, other) for one, other in zip(some, others))


def _constant_factor(one, other):
    usable = np.abs(other) > 1e-3
    if usable.sum() < 2:
        return None
    factors = one[usable] / other[usable]
    return factors.mean() if np.ptp(factors) < 1e-3 * abs(factors.mean()) else None


def _show(case):
    """The arguments of a case in one or a few lines, long arrays by their shape."""
    parts = []
    for argument in case:
        if hasattr(argument, "shape") and np.size(argument) > 8:
            parts.append(f"an array {tuple(argument.shape)}")
        elif hasattr(argument, "shape"):
            parts.append(np.array2string(np.asarray(argument), precision=3, separator=", ").replace("\n", ""))
        else:
            parts.append(repr(argument))
    return "the arguments " + ", ".join(parts)


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
