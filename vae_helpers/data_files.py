"""Files that people bring: the folder in VAE_HELPERS_DATA, and .npz files, read to their end and checked."""

import io
import os
import re
import textwrap
import zipfile
from pathlib import Path

import numpy as np

KEYS = ("x_train", "y_train", "x_test", "y_test")
_LARGEST_ARRAY = 2**28  # bytes; five times the largest original


def folder():
    """The folder that VAE_HELPERS_DATA names, or None. Blanks and quotes around it are dropped; ~ and $HOME count."""
    given = os.environ.get("VAE_HELPERS_DATA", "").strip(" \t\r\n'\"")
    if not given:
        return None
    expanded = os.path.expandvars(os.path.expanduser(given))
    path = Path(expanded)
    if os.path.isdir(path):
        return path
    if os.path.isfile(path):
        remedy = f"That is a file. Give its folder: {str(path.resolve().parent)!r}."
    elif re.match(r"\w{2,}:/", given):
        remedy = "Write a path of this computer, without 'file://'; a web address is not read."
    elif re.match(r"[A-Za-z]:\\", given) and os.name != "nt":
        remedy = "That is a path of Windows, and this Python runs on another system (in WSL, C:\\data is /mnt/c/data)."
    elif not path.is_absolute():
        remedy = f"It is looked for in {os.getcwd()!r}. Write the whole path, or unset it to use Keras."
    else:
        remedy = "Correct it, or unset it to use Keras."
    meaning = f", which is {expanded!r}" if expanded != given else ""
    raise ValueError(f"VAE_HELPERS_DATA names no folder: {given!r}{meaning}. {remedy}")


def what_is_there(path):
    """In words: that `path` is not in its folder, and what is."""
    try:
        held = sorted(name for name in os.listdir(path.parent) if not name.startswith("."))
    except OSError as error:
        raise ValueError(f"the folder in VAE_HELPERS_DATA cannot be read: {error}. Correct it, or unset it.") from error
    words = f"the folder in VAE_HELPERS_DATA, {path.parent}, has no {path.name}"
    for name in held:
        if name == path.name:
            return f"the folder in VAE_HELPERS_DATA has a {path} that is no file"
        if plain(name) == plain(path.name):
            return f"{words}; rename its {name} to {path.name}"
    more = f" and {len(held) - 4} more" if len(held) > 4 else ""
    return f"{words}; it holds {in_a_line(', '.join(held[:4])) or 'nothing'}{more}"


def plain(name):
    """A name without what people write differently: capitals, hyphens, underscores."""
    return re.sub(r"[\W_]", "", name.lower())


def in_a_line(words):
    return textwrap.shorten(str(words), 160, placeholder=" …")


def read(path, shape):
    """The arrays under KEYS in an .npz file: uint8 images of this shape, (height, width, channels), and their labels.

    A grey image may come without its channel axis, labels may come as a column. Raises ValueError where the file cannot
    be used, with the line that mends it.
    """
    try:
        arrays = read_npz(path)
    except Exception as error:  # zipfile, zlib, struct and numpy each have their own for a damaged file
        reason = in_a_line(error) or type(error).__name__
        raise ValueError(f"{path} cannot be used: {reason}. {_remedy(path)}") from error
    faults, mended = [], {key: f'old["{key}"]' for key in KEYS}
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        for key, found in ((f"x_{part}", _fault_of_images(x, shape)), (f"y_{part}", _fault_of_labels(y, x))):
            if found:
                fault, how = found
                faults.append(f"{key} {fault}")
                mended[key] = how and how.format(mended[key])
    if faults:
        raise ValueError(f"{path} cannot be used: {'; '.join(faults)}. {_remedy(path, mended)}")
    return arrays


def _remedy(path, mended=None):
    """The line that writes the file again, from the old one where each array has an expression that mends it."""
    if mended and all(mended.values()):
        parts = ", ".join(f"{key}={value}" for key, value in mended.items())
        return f"Write it again: old = np.load({str(path)!r}); np.savez({str(path)!r}, {parts})"
    parts = ", ".join(f"{key}=…" for key in KEYS)
    return (
        f"Write it again with np.savez({path.name!r}, {parts}), or unset VAE_HELPERS_DATA to let Keras bring its own."
    )


def _fault_of_images(x, shape):
    """What is wrong with these images, and the expression that mends it ("" where none does); None if all is well."""
    allowed = [shape, shape[:2]] if shape[2] == 1 else [shape]
    wanted = " or ".join(f"(n, {', '.join(map(str, each))})" for each in allowed)
    fault = f"is {x.dtype} of shape {x.shape}; it must be uint8 of shape {wanted}, with pixels from 0 to 255"
    if x.size == 0:
        return "holds no images", ""
    if x.dtype.kind not in "buif":
        return fault, ""
    if x.shape[1:] in allowed:
        how = "{}"
    elif x.shape[1:] == (shape[2], *shape[:2]):
        how = "{}.transpose(0, 2, 3, 1)"
    elif shape[2] == 1 and x.shape[1:] == (shape[0] * shape[1],):
        how = f"{{}}.reshape(-1, {shape[0]}, {shape[1]})"
    else:
        return fault, ""
    low, high = float(x.min()), float(x.max())
    if not 0 <= low <= high <= 255:
        return f"{fault}, and has them from {low:g} to {high:g}", ""
    if high <= 1:
        return f"{fault}, and has them from {low:g} to {high:g}", f'(255.0 * {how}).round().astype("uint8")'
    if x.dtype != np.uint8:
        return fault, f'{how}.round().astype("uint8")'
    return (fault, how) if how != "{}" else None


def _fault_of_labels(y, x):
    """The same for the labels of the images x."""
    count = len(x) if x.ndim else 0
    fault = f"is {y.dtype} of shape {y.shape}; it must be whole numbers from 0 to 9 of shape ({count},)"
    if y.dtype.kind in "SU" and np.char.isdigit(y).all():
        return f"{fault}, not text", "{}.astype(int)"
    if y.dtype.kind in "SU":
        return f"{fault}, not text: write the number of each class in place of its name", ""
    if y.dtype.kind not in "buif" or y.size == 0:
        return fault, ""
    if y.ndim == 2 and len(y) == count and y.shape[1] > 1 and _is_one_hot(y):
        return f"{fault}, not one-hot", "{}.argmax(axis=1)"
    if y.shape not in ((count,), (count, 1)):
        return f"{fault}, one label for each image", ""
    low, high = y.min(), y.max()
    if not 0 <= low <= high <= 9 or (y != np.floor(y)).any():
        return f"{fault}, and has labels from {low:g} to {high:g}", ""
    return None if y.dtype.kind in "iu" else (fault, "{}.astype(int)")


def _is_one_hot(y):
    return y.shape[1] <= 10 and bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())


def read_npz(file):
    """The arrays of an .npz file, given as a path or a stream.

    np.load stops where a header says that the array ends. Where a damaged header says so too early, it never comes to
    compare the checksum (CRC-32) of that part, and gives fewer images. So each part is read to its end here; and
    nothing is set aside for an array before its bytes are there.
    """
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        for key in KEYS:
            if names.count(f"{key}.npy") != 1:
                has = ", ".join(name.removesuffix(".npy") for name in names[:8]) or "nothing"
                wrong = "more than one" if f"{key}.npy" in names else "no"
                raise ValueError(f"it has {wrong} {key}; all four of {', '.join(KEYS)} are needed, and it has {has}")
        return {key: _read_npy(archive, f"{key}.npy") for key in KEYS}


def _read_npy(archive, name):
    member = archive.getinfo(name)
    if member.file_size > _LARGEST_ARRAY:
        raise ValueError(f"{name} in it has {member.file_size:,} bytes; at most {_LARGEST_ARRAY:,} are read")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack without a limit
        raise ValueError(f"{name} in it is compressed in a way that numpy does not use")
    with archive.open(member) as part:
        content = part.read(member.file_size)  # never more, whatever it holds; at the end the checksum is compared
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} in it is not in version 1.0 of the .npy format")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject:
        key = name.removesuffix(".npy")
        remedy = f"Make numbers of them first: {key} = np.array(list({key}))"
        raise ValueError(f"{name} in it holds Python objects, which are not read: they could run code. {remedy}")
    values = np.frombuffer(content, dtype, offset=stream.tell())
    return values.reshape(shape, order="F" if by_columns else "C")
