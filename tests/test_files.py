"""Faults of files, servers and disks: what is lost, what is said, and what stays behind (nothing by halves)."""

import errno
import gzip
import hashlib
import inspect
import io
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keras
import numpy as np
import pytest

import vae_helpers as vh
from vae_helpers import data_files, images

KEYS = ("x_train", "y_train", "x_test", "y_test")
FASHION_FILES = [
    f"fashion-mnist/{part}-ubyte.gz"
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
]
BOTH = pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no named pipes, and locks a file that is read")


def small_arrays(seed=0, train=6, test=4):
    rng = np.random.default_rng(seed)
    x_train, x_test = (rng.integers(0, 256, (n, 28, 28)).astype("uint8") for n in (train, test))
    return dict(zip(KEYS, (x_train, np.arange(train, dtype="uint8") % 10, x_test, np.arange(test, dtype="uint8"))))


def npz(arrays, save=np.savez):
    stream = io.BytesIO()
    save(stream, **arrays)
    return stream.getvalue()


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.tobytes())


def same(data, arrays):
    return all(
        np.array_equal(np.rint(255 * getattr(data, key)[..., 0]) if key[0] == "x" else getattr(data, key), arrays[key])
        for key in KEYS
    )


# Keras's files: its cache and its server


@pytest.fixture
def caches(monkeypatch, tmp_path):
    """Both folders in which Keras keeps data sets, empty; the full profile, and no folder of one's own."""
    monkeypatch.setenv("VAE_HELPERS_PROFILE", "full")
    monkeypatch.delenv("VAE_HELPERS_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "home" / "datasets", tmp_path / "temporary" / ".keras" / "datasets"


class Server(ThreadingHTTPServer):
    """Keras's server, on this machine, with files of ten images. `answer` is what it does when it is asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"mnist.npz": npz(small_arrays(1))}
        self.files |= dict(zip(FASHION_FILES, map(idx, small_arrays(2).values())))
        self.arrays = {"mnist": small_arrays(1), "fashion_mnist": small_arrays(2)}
        self.asked, self.answer = [], whole
        self.origin = f"http://127.0.0.1:{self.server_port}/"
        hashes = {file: hashlib.sha256(content).hexdigest() for file, content in self.files.items()}
        self.originals = {
            "mnist": {"mnist.npz": hashes.pop("mnist.npz")},
            "fashion_mnist": hashes,
        }


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        content = next(c for file, c in self.server.files.items() if Path(file).name == self.path[1:])
        self.server.answer(self, content)

    def log_message(self, *_):
        pass


def send(handler, content, length=None):
    handler.send_response(200)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()
    handler.wfile.write(content)


def whole(handler, content):
    send(handler, content, len(content))


def stops_midway(handler, content):
    send(handler, content[: len(content) // 2], len(content))


def stops_midway_unannounced(handler, content):
    send(handler, content[: len(content) // 2])


def breaks_the_connection(handler, content):
    send(handler, content[: len(content) // 2], len(content))
    handler.wfile.flush()
    at_once = struct.pack("ii" if os.name == "posix" else "hh", 1, 0)  # close with a reset
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    handler.connection.close()


def alters_a_bit(handler, content):
    altered = bytearray(content)
    altered[len(content) // 2] ^= 1
    whole(handler, bytes(altered))


def sends_a_page(handler, content):
    whole(handler, b"<html>Please log in</html>")


def has_no_such_file(handler, content):
    handler.send_error(404)


def says_nothing(handler, content):
    time.sleep(1)


def says_nothing_midway(handler, content):
    stops_midway(handler, content)
    handler.wfile.flush()
    time.sleep(1)


def never_ends(handler, content):
    send(handler, content)
    while True:
        handler.wfile.write(bytes(100_000))


def write_slowly(file, content):
    for piece in np.array_split(np.frombuffer(content, "uint8"), 20):
        file.write(piece.tobytes())
        file.flush()
        time.sleep(0.02)


def slow(handler, content):
    send(handler, b"", len(content))
    write_slowly(handler.wfile, content)


@pytest.fixture
def server(monkeypatch, caches):
    with Server() as server:
        server.handle_error = lambda *_: None  # a client that has gone is no news
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr(images, "_ORIGIN", server.origin)
        monkeypatch.setattr(images, "_ORIGINALS", server.originals)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield server
        server.shutdown()


def files_in(folders):
    return [path for folder in folders for path in folder.rglob("*") if not path.is_dir()]


def test_the_table_of_originals_is_kerass_own():
    assert list(images._ORIGINALS["fashion_mnist"]) == FASHION_FILES
    ((name, sha256),) = images._ORIGINALS["mnist"].items()
    source = inspect.getsource(keras.datasets.mnist.load_data)
    assert sha256 in source and images._ORIGIN in source and name in source
    module = inspect.getmodule(keras.datasets.fashion_mnist.load_data)
    source = inspect.getsource(module)
    assert all(Path(file).name in source for file in FASHION_FILES)
    assert images._ORIGIN in source and '"datasets", "fashion-mnist"' in source
    hashes = getattr(module, "FILE_HASHES", None)  # Keras after 3.15
    if hashes:
        assert {Path(file).name: one for file, one in images._ORIGINALS["fashion_mnist"].items()} == hashes


@BOTH
def test_a_download_is_kept_and_serves_without_the_server(server, caches, capsys, name):
    data = vh.load_images(name)
    assert data.name == name and same(data, server.arrays[name])
    assert data.source == "Keras's server"
    kept = {file: server.files[file] for file in server.originals[name]}
    assert {path.relative_to(caches[0]).as_posix(): path.read_bytes() for path in files_in(caches)} == kept
    asked = len(server.asked)
    again = vh.load_images(name)
    assert again.source == "Keras's cache" and same(again, server.arrays[name])
    assert len(server.asked) == asked == len(kept)
    assert capsys.readouterr().out.count("\n") == 2


def test_what_keras_put_into_its_other_cache_is_used(server, caches):
    caches[1].mkdir(parents=True)
    (caches[1] / "mnist.npz").write_bytes(server.files["mnist.npz"])
    assert vh.load_images("mnist").source == "Keras's cache"
    assert not server.asked and not caches[0].exists()


def on_the_screen(out):
    """What stays to be read of what was printed: a carriage return goes back to the start of its line."""
    lines = []
    for line in out.split("\n"):
        shown = ""
        for words in line.split("\r"):
            shown = words + shown[len(words) :]
        lines.append(shown.rstrip())
    return lines


def test_a_download_shows_how_far_it_is_and_leaves_one_line(server, capsys):
    server.answer = slow
    vh.load_images("mnist")
    out, err = capsys.readouterr()
    assert re.search(r"\rmnist\.npz: asking the server +\r", out)
    assert re.search(r"\rmnist\.npz: downloaded 0\.0 of 0\.0 MB +\r", out)
    line, end = on_the_screen(out)
    assert line == "mnist: 6 training and 4 test images, 28×28, 6 of 10 classes, from Keras's server" and end == ""
    assert err == ""  # the build of the lessons stops at anything there


def test_a_download_of_unknown_length_shows_what_is_there(server, capsys):
    def answer(handler, content):
        send(handler, b"")
        write_slowly(handler.wfile, content)

    server.answer = answer
    assert vh.load_images("mnist").name == "mnist"
    assert re.search(r"\rmnist\.npz: downloaded 0\.0 MB +\r", capsys.readouterr().out)


def test_a_download_that_fails_leaves_one_line_too(server, capsys):
    server.answer = has_no_such_file
    vh.load_images("mnist")
    line, _ = on_the_screen(capsys.readouterr().out)
    assert line.startswith("digits: 1,437 training and 360 test images")


NOT_THE_ORIGINAL = "bytes that are not the original"
BAD_SERVERS = {
    stops_midway: NOT_THE_ORIGINAL,
    stops_midway_unannounced: NOT_THE_ORIGINAL,
    breaks_the_connection: "download failed: .*(reset|closed)",
    alters_a_bit: NOT_THE_ORIGINAL,
    sends_a_page: NOT_THE_ORIGINAL,
    has_no_such_file: "download failed: HTTP Error 404",
    says_nothing: "download failed: .*timed out",
    says_nothing_midway: "download failed: .*timed out",
    never_ends: NOT_THE_ORIGINAL,
}


@pytest.mark.parametrize("answer, message", BAD_SERVERS.items(), ids=[answer.__name__ for answer in BAD_SERVERS])
@BOTH
def test_a_server_that_fails_leaves_nothing_behind(server, caches, monkeypatch, capsys, name, answer, message):
    monkeypatch.setattr(images, "DOWNLOAD_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(images, "_LARGEST_FILE", 10**6)
    server.answer = answer
    assert vh.load_images(name).name == "digits"
    line = capsys.readouterr().out
    assert line.count("\n") == 1 and f"NOT {name}" in line
    assert re.search(message, line)
    assert files_in(caches) == []
    server.answer = whole
    assert same(vh.load_images(name), server.arrays[name])


def test_a_download_that_fails_after_two_files_keeps_these_two_only(server, caches):
    def answer(handler, content):
        (stops_midway if len(server.asked) == 3 else whole)(handler, content)

    server.answer = answer
    assert vh.load_images("fashion_mnist").name == "digits"
    assert {path.name for path in files_in(caches)} == {Path(file).name for file in FASHION_FILES[:2]}
    assert vh.load_images("fashion_mnist").source == "Keras's cache and Keras's server"


DAMAGES = {
    "a bit": lambda content: content[:500] + bytes([content[500] ^ 4]) + content[501:],
    "half of it": lambda content: content[: len(content) // 2],
    "all of it": lambda content: b"",
    "another file": lambda content: b"<html>Please log in</html>",
    "something behind it": lambda content: content + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@BOTH
def test_an_altered_file_in_the_cache_is_noticed_and_replaced(server, caches, capsys, name, damage):
    file = next(iter(server.originals[name]))
    vh.load_images(name)
    (caches[0] / file).write_bytes(damage(server.files[file]))
    capsys.readouterr()
    assert same(vh.load_images(name), server.arrays[name])
    assert f"the {Path(file).name} in its cache was not the original" in capsys.readouterr().out
    assert (caches[0] / file).read_bytes() == server.files[file]
    vh.load_images(name)
    assert "not the original" not in capsys.readouterr().out


@BOTH
def test_an_altered_file_in_the_cache_is_never_used_and_stays_where_the_server_fails(server, caches, capsys, name):
    vh.load_images(name)
    path = caches[0] / list(server.originals[name])[-1]
    path.write_bytes(b"altered")
    server.answer = has_no_such_file
    assert vh.load_images(name).name == "digits"
    line = capsys.readouterr().out.splitlines()[-1]
    assert "404" in line and f"the {path.name} in its cache was not the original" in line
    assert path.read_bytes() == b"altered"


@POSIX
def test_a_named_pipe_in_the_cache_does_not_hang(server, caches):
    caches[0].mkdir(parents=True)
    os.mkfifo(caches[0] / "mnist.npz")
    assert vh.load_images("mnist").source == "Keras's server"


def test_a_folder_in_the_place_of_the_file_does_no_harm(server, caches):
    (caches[0] / "mnist.npz" / "thesis").mkdir(parents=True)
    assert vh.load_images("mnist").source == "Keras's server"
    assert (caches[0] / "mnist.npz" / "thesis").is_dir()
    assert files_in(caches) == [caches[1] / "mnist.npz"]


@BOTH
def test_without_a_network_the_digits_stand_in(caches, monkeypatch, capsys, name):
    def refuse(*_, **__):
        raise OSError("the network is blocked")

    for function in ("socket", "getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, function, refuse)
    assert vh.load_images(name).name == "digits"
    assert "the network is blocked" in capsys.readouterr().out
    assert files_in(caches) == []


# Disks


def lock(folder):
    """Make a folder impossible, for root too: a file stands in its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")


@BOTH
def test_where_the_home_cannot_be_written_the_temporary_folder_is_used(server, caches, name):
    lock(caches[0].parent)
    assert vh.load_images(name).source == "Keras's server"
    assert len(files_in([caches[1]])) == len(server.originals[name])
    assert vh.load_images(name).source == "Keras's cache"


@BOTH
def test_where_nothing_can_be_written_the_data_come_all_the_same(server, caches, capsys, name):
    for cache in caches:
        lock(cache.parent)
    assert same(vh.load_images(name), server.arrays[name])
    assert "not kept in its cache: " in capsys.readouterr().out


@BOTH
def test_a_cache_that_can_only_be_read_is_enough(server, caches, monkeypatch, name):
    vh.load_images(name)
    monkeypatch.setattr(images, "_write_whole", lambda *_: pytest.fail("something was written"))
    assert vh.load_images(name).source == "Keras's cache"


@BOTH
def test_a_full_disk_leaves_no_half_file_and_the_data_come_all_the_same(server, caches, monkeypatch, capsys, name):
    write = Path.write_bytes

    def fill(path, content):
        write(path, content[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fill)
    assert same(vh.load_images(name), server.arrays[name])
    assert "not kept in its cache: No space left on device" in capsys.readouterr().out
    assert files_in(caches) == []


def test_a_replace_that_fails_leaves_no_draft(server, caches, monkeypatch, capsys):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(errno.EACCES, "in use")))
    assert same(vh.load_images("mnist"), server.arrays["mnist"])
    assert "not kept in its cache: in use" in capsys.readouterr().out
    assert files_in(caches) == []


# More than one at once


def watch(path, original, until):
    """Look at a file again and again. Returns how often it was there; it must be whole each time."""
    seen = 0
    while not until():
        if path.exists():
            assert path.read_bytes() == original, "a part of the file stood in the cache"
            seen += 1
        time.sleep(0.001)
    return seen


@POSIX
def test_two_that_fetch_at_once_both_get_right_arrays_and_the_cache_is_whole_at_every_moment(
    server, caches, monkeypatch
):
    def to_a_slow_disk(path, content):
        with open(path, "wb") as file:
            write_slowly(file, content)

    monkeypatch.setattr(Path, "write_bytes", to_a_slow_disk)
    server.answer = slow
    loaded = []
    threads = [threading.Thread(target=lambda: loaded.append(images._from_keras("mnist"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    watch(caches[0] / "mnist.npz", server.files["mnist.npz"], lambda: not any(one.is_alive() for one in threads))
    assert len(loaded) == 2
    for arrays, source in loaded:
        assert source == "Keras's server"
        assert all(np.array_equal(arrays[key], server.arrays["mnist"][key]) for key in KEYS)
    assert files_in(caches) == [caches[0] / "mnist.npz"]


LOAD = """
import json, sys
import vae_helpers as vh
from vae_helpers import images
images._ORIGIN, images._ORIGINALS = sys.argv[1], json.loads(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
data = vh.load_images("mnist")
print(int(255 * data.x_train.sum(dtype="float64") + 0.5), data.name, data.source, sep="|")
"""


@pytest.fixture
def loader(server):
    """A function that starts a process which loads a data set once it is told to go on."""
    started = []

    def start(before=()):
        process = subprocess.Popen(
            [*before, sys.executable, "-c", LOAD, server.origin, json.dumps(server.originals)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), tempfile.tempdir),
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    Path(tempfile.tempdir).mkdir()
    yield start
    for process in started:
        process.kill()
        process.wait()


def pixels(server):
    return server.arrays["mnist"]["x_train"].sum(dtype=int)


@POSIX
@pytest.mark.long
def test_two_processes_that_fetch_at_once_both_get_right_arrays(server, caches, loader):
    server.answer = slow
    processes = [loader() for _ in range(2)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    path = caches[0] / "mnist.npz"
    seen = watch(path, server.files["mnist.npz"], lambda: all(process.poll() is not None for process in processes))
    assert seen > 0
    for process in processes:
        assert process.stdout.read().splitlines()[-1] == f"{pixels(server)}|mnist|Keras's server"
    assert files_in(caches) == [path]


@pytest.mark.long
def test_a_process_killed_while_it_fetches_leaves_nothing_behind(server, caches, loader):
    server.answer = slow
    process = loader()
    process.stdin.write("\n")
    process.stdin.flush()
    while not server.asked:
        time.sleep(0.01)
    time.sleep(0.1)
    process.kill()
    process.wait()
    assert files_in(caches) == []


@pytest.mark.long
def test_a_disk_that_is_really_full_leaves_no_half_file(server, caches, loader):
    """On a file system of 8 kB, in a mount namespace of its own."""
    home = caches[0].parent
    home.mkdir()
    mount = f"mount -t tmpfs -o size=8k none {home} && mount --bind {home} {tempfile.tempdir}"
    script = f'{mount} && "$@" && find {home} -name "*mnist*"'
    before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*before, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    process = loader(before=before)
    out, _ = process.communicate("\n")
    assert "not kept in its cache: No space left on device" in out
    assert out.splitlines()[-1].startswith(f"{pixels(server)}|mnist|")  # and no file's name after it


# Files that were changed: .npz


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("VAE_HELPERS_PROFILE", "full")
    monkeypatch.setenv("VAE_HELPERS_DATA", str(tmp_path))
    return tmp_path


def refused(folder, content, *right):
    """Whether the file is refused, with its name; if it is not, it must give one of the right data sets."""
    (folder / "mnist.npz").write_bytes(content)
    try:
        data = vh.load_images("mnist")
    except ValueError as error:
        assert "mnist.npz" in str(error)
        return True
    assert any(same(data, arrays) for arrays in right), "a changed file gave other arrays"
    return False


def flip(content, position, bit):
    changed = bytearray(content)
    changed[position] ^= 1 << bit
    return bytes(changed)


def mutate(rng, content, other):
    """One of ten kinds of damage, at random places."""
    i, j = sorted(rng.integers(0, len(content) + 1, 2))
    kind = rng.integers(10)
    if kind == 0:
        return content[:i]
    if kind == 1:
        return content[:i] + content[j:]
    if kind == 2:
        return content[:i] + rng.bytes(int(rng.integers(1, 9))) + content[i:]
    if kind == 3:
        return content[:i] + bytes(j - i) + content[j:]
    if kind == 4:
        return content[:i] + other[min(i, len(other)) :]
    if kind == 5:
        return content[:i] + other[int(rng.integers(0, len(other))) :]
    if kind == 6:
        return content + content[i:j]
    if kind == 7:
        return content[:i] + b"\xff\xff\xff\xff" + content[i + 4 :]
    for _ in range(1 if kind == 8 else 2 + int(rng.integers(6))):
        content = flip(content, int(rng.integers(len(content))), int(rng.integers(8)))
    return content


SAVES = pytest.mark.parametrize("save", [np.savez, np.savez_compressed])


def changed_files(folder, save, seeds):
    arrays, others = small_arrays(1, 3, 2), small_arrays(2, 3, 2)
    content, other = npz(arrays, save), npz(others, save)
    assert not refused(folder, content, arrays)
    outcomes = [refused(folder, mutate(np.random.default_rng(seed), content, other), arrays, others) for seed in seeds]
    return np.mean(outcomes)


@SAVES
def test_a_changed_file_is_refused_or_gives_exactly_the_right_arrays(folder, save):
    assert 0.5 < changed_files(folder, save, range(200)) < 1


@pytest.mark.long
@SAVES
def test_thousands_of_changed_files_are_refused_or_give_exactly_the_right_arrays(folder, save):
    assert 0.5 < changed_files(folder, save, range(200, 5200)) < 1


@pytest.mark.long
@SAVES
def test_each_single_bit_that_is_changed_is_noticed_or_does_not_matter(folder, save):
    arrays = small_arrays(1, 1, 1)
    arrays["x_train"][:, :, 5:] = arrays["x_test"][:, :, 5:] = 0  # so that there is something to compress
    content = npz(arrays, save)
    outcomes = [refused(folder, flip(content, place, bit), arrays) for place in range(len(content)) for bit in range(8)]
    assert 0.5 < np.mean(outcomes) < 1


def test_two_headers_that_end_too_early_are_refused(folder):
    """'6' and '4' differ by one bit. np.load gives 4000 of the 6000 images, each with its label, and says nothing."""
    content = npz(small_arrays(1, 6000, 4) | {"y_train": np.arange(6000) % 10})
    for header in (b"(6000, 28, 28)", b"(6000,)"):
        assert content.count(header) == 1
        content = content.replace(header, header.replace(b"6", b"4"))
    assert refused(folder, content)


def with_part(name, part, **options):
    """A small .npz file in which one part has other bytes, and the right checksum."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(npz(small_arrays()))) as source, zipfile.ZipFile(stream, "w") as target:
        for member in source.namelist():
            target.writestr(member, part if member == name else source.read(member), **options)
    return stream.getvalue()


def npy(header, values=b"", version=b"\1\0"):
    header = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header + values


def header(shape="(6, 28, 28)", descr="'|u1'", by_columns="False"):
    return f"{{'descr': {descr}, 'fortran_order': {by_columns}, 'shape': {shape}, }}"


IMAGES = small_arrays()["x_train"].tobytes()
HEADERS = {
    "right": (npy(header(), IMAGES), False),
    "giant": (npy(header("(1000000000000, 28, 28)"), IMAGES), True),
    "beyond 64 bits": (npy(header("(99999999999999999999, 28, 28)"), IMAGES), True),
    "negative": (npy(header("(-6, -28, 28)"), IMAGES), True),
    "one image fewer than there are": (npy(header("(5, 28, 28)"), IMAGES), True),
    "one image more than there are": (npy(header("(7, 28, 28)"), IMAGES), True),
    "giant type": (npy(header("(6, 28, 28)", "'|V999999999'"), IMAGES), True),
    "type without size": (npy(header("(6, 28, 28)", "'|V0'"), IMAGES), True),
    "objects": (npy(header("(6, 28, 28)", "'|O'"), IMAGES), True),
    "a record with objects": (npy(header("(6,)", "[('a', '|O'), ('b', '|u1', (776,))]"), IMAGES), True),
    "code": (npy(header("__import__('os').abort()"), IMAGES), True),
    "nested": (npy("(" * 110, IMAGES), True),
    "another version": (npy(header(), IMAGES, b"\3\0"), True),
    "nothing": (b"", True),
}


@pytest.mark.parametrize("part, bad", HEADERS.values(), ids=HEADERS)
def test_a_header_that_lies_is_refused_before_memory_is_taken(folder, part, bad):
    content = with_part("x_train.npy", part)
    vh.load_images("digits")  # imports what it needs
    tracemalloc.start()
    try:
        assert refused(folder, content, small_arrays()) == bad
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("declared", [None, 1000, 2**32 - 2])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(folder, monkeypatch, declared, method):
    """10 MB of zeros in 10 kB or so, with their true size in the file's table of contents or another."""
    monkeypatch.setattr(data_files, "_LARGEST_ARRAY", 10**6)
    zeros = npy(header("(12755, 28, 28)"), bytes(12755 * 784))
    content = with_part("x_train.npy", zeros, compress_type=method)
    assert len(content) < 100_000
    if declared:
        assert content.count(struct.pack("<I", len(zeros))) == 2
        content = content.replace(struct.pack("<I", len(zeros)), struct.pack("<I", declared))
    tracemalloc.start()
    try:
        assert refused(folder, content)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_holds_an_array_twice_is_refused(folder):
    stream = io.BytesIO(npz(small_arrays()))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("x_train.npy", archive.read("x_train.npy"))
    (folder / "mnist.npz").write_bytes(stream.getvalue())
    with pytest.raises(ValueError, match="more than one x_train"):
        vh.load_images("mnist")


# Files that were changed: saved models


@pytest.fixture
def saved(make_vae, tmp_path):
    """A small VAE and the file that it was saved to."""
    vae = make_vae()
    vae.save(tmp_path / "vae.keras")
    return vae, tmp_path / "vae.keras"


def test_a_saved_vae_loads_in_safe_mode(saved):
    vae, path = saved
    loaded = keras.saving.load_model(path, safe_mode=True)
    assert loaded.beta == vae.beta
    assert all(np.array_equal(a, b) for a, b in zip(loaded.get_weights(), vae.get_weights(), strict=True))


def test_a_saved_model_with_code_in_it_is_refused_in_safe_mode(make_vae, tmp_path):
    vae = make_vae()
    code = keras.layers.Lambda(lambda x: x, output_shape=(2,))(vae.encoder.outputs[0])
    encoder = keras.Model(vae.encoder.inputs, [code, vae.encoder.outputs[1]])
    vh.VAE(encoder, vae.decoder).save(tmp_path / "vae.keras")
    with pytest.raises(ValueError, match=r"[Ll]ambda"):
        keras.saving.load_model(tmp_path / "vae.keras")


def model_refused(saved, content):
    """Whether the file is refused; if it is not, it must give the weights that were saved."""
    vae, path = saved
    path.write_bytes(content)
    try:
        weights = keras.saving.load_model(path).get_weights()
    except Exception:  # of many kinds: zipfile, json, h5py and Keras each have their own
        return True
    assert len(weights) == len(vae.get_weights()), "a changed file gave another model"
    assert all(map(np.array_equal, weights, vae.get_weights())), "a changed file gave other weights"
    return False


def changed_models(saved, seeds):
    content = saved[1].read_bytes()
    return np.mean([model_refused(saved, mutate(np.random.default_rng(n), content, content[::-1])) for n in seeds])


def test_a_changed_model_file_is_refused_or_gives_equal_weights(saved):
    assert 0.5 < changed_models(saved, range(20)) < 1


@pytest.mark.long
def test_hundreds_of_changed_model_files_are_refused_or_give_equal_weights(saved):
    assert 0.5 < changed_models(saved, range(20, 520)) < 1


def test_one_bit_that_is_changed_in_a_weight_is_noticed(saved):
    """Keras reads on past the wrong checksum, in another way; that fails too, later on."""
    vae, path = saved
    content = path.read_bytes()
    kernel = content.index(vae.encoder.get_weights()[0].tobytes())
    assert all(model_refused(saved, flip(content, kernel + place, 6)) for place in (0, 3, 255))
