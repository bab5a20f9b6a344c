"""The .npz files that people bring: read to their end, and refused where they are not what they say."""

import io
import textwrap
import zipfile

import numpy as np

KEYS = ("x_train", "y_train", "x_test", "y_test")
_LARGEST_ARRAY = 2**28  # bytes; five times the largest original


def from_folder(path):
    try:
        return read_npz(path)
    except Exception as error:  # zipfile, zlib, struct and numpy each have their own for a damaged file
        reason = in_a_line(error)
        remedy = "Put Keras's original file there, or unset VAE_HELPERS_DATA to let Keras download it."
        raise ValueError(f"{path} cannot be used: {reason}. {remedy}") from error


def in_a_line(error):
    return textwrap.shorten(str(error) or type(error).__name__, 160, placeholder=" …")


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
                raise ValueError(f"it has {'no' if f'{key}.npy' not in names else 'more than one'} {key}")
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
    values = np.frombuffer(content, dtype, offset=stream.tell())  # refuses objects, which could run code
    return values.reshape(shape, order="F" if by_columns else "C")
