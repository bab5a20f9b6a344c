"""The explorer: its arguments, its files, and the page of tiles that it makes where the networks cannot run in it."""

import base64
import os
import re
from html.parser import HTMLParser

import imageio.v3 as iio
import keras
import numpy as np
import pytest
from explorer_pages import COLOR, GREY, HOSTILE, NAMES, data_of, images_for, small_vae
from scipy.interpolate import interpn
from sklearn.decomposition import PCA

import vae_helpers as vh
from vae_helpers import explorer_networks
from vae_helpers.explorer import latent_explorer
from vae_helpers.plots import CLASS_COLORS


@pytest.fixture(scope="module")
def vae():
    return small_vae(GREY, 2)


@pytest.fixture(scope="module")
def explorer(vae):
    """300 dots in seven classes, most of them with hostile names."""
    return latent_explorer(vae, images_for(GREY), np.arange(300) % 7, NAMES, tiles=11)


@pytest.fixture(scope="module")
def large():
    """A page of the usual size: 2000 dots, 28×28 pixels."""
    vae = small_vae((28, 28, 1), 2, 1.0)
    return latent_explorer(vae, images_for((28, 28, 1), 2100), np.arange(2100) % 10, tiles=41)


@pytest.fixture(scope="module")
def color_vae():
    return small_vae(COLOR, 4)


def atlas_of(page):
    """The tiles (n, n, height, width, channels) in [0, 1]; the first axis is the second latent, rising."""
    data = data_of(page)
    picture = iio.imread(base64.b64decode(data["atlas"].removeprefix("data:image/png;base64,")), extension=".png")
    height, width, channels = data["shape"]
    n = data["tiles"]
    return picture.reshape(height, n, width, n, channels).transpose(1, 3, 0, 2, 4) / 255


def grid(*axes):
    """All points (u, v) of two axes, (len(second), len(first), 2)."""
    return np.stack(np.meshgrid(*axes), axis=-1)


# The atlas and its error


def test_each_tile_is_the_decoders_image(vae, explorer):
    atlas = atlas_of(explorer.page)
    axis = np.linspace(-explorer.limit, explorer.limit, 11)
    expected = vae.decode(grid(axis, axis).reshape(-1, 2)).reshape(11, 11, *GREY)
    np.testing.assert_allclose(atlas, expected, atol=0.51 / 255)
    assert np.abs(expected[2, 7] - expected[7, 2]).mean() > 0.05  # exchanged axes would show
    assert data_of(explorer.page)["atlasSum"] == round(255 * atlas.sum())


def test_the_worst_error_is_that_of_bilinear_mixing_halfway_between_tiles(vae, explorer):
    axis = np.linspace(-explorer.limit, explorer.limit, 11)
    fine = np.linspace(-explorer.limit, explorer.limit, 21)
    points = grid(fine, fine).reshape(-1, 2)
    mixed = interpn((axis, axis), atlas_of(explorer.page), points[:, ::-1])
    error = np.abs(mixed - vae.decode(points)).mean(axis=(1, 2, 3))
    assert error.max() > 2 / 255  # so coarse a grid is far from the decoder
    assert explorer.worst_error == pytest.approx(error.max(), abs=1 / 255)
    assert data_of(explorer.page)["worstError"] == pytest.approx(explorer.worst_error, abs=1e-5)


def test_more_tiles_are_closer_to_the_decoder(vae, explorer):
    assert latent_explorer(vae, tiles=31).worst_error < explorer.worst_error / 2


def test_the_page_stays_small_enough_for_notebooks(large):
    assert (large.tiles, large.dots) == (41, 2000)
    assert len(large.page) < 700_000


@pytest.mark.parametrize("shape, tiles", [((8, 8, 1), 41), ((32, 32, 3), 21), ((64, 64, 3), 9)])
def test_the_page_stays_small_enough_for_mail(monkeypatch, shape, tiles):
    monkeypatch.setattr(explorer_networks, "_LARGEST", 0)  # as if the networks were too large for the page
    explorer = latent_explorer(small_vae(shape, 2, 1.0), images_for(shape, 20))
    assert explorer.tiles == tiles
    assert len(explorer.page) < 1_500_000


def test_the_png_asks_no_browser_to_correct_its_colours(explorer):
    png = base64.b64decode(data_of(explorer.page)["atlas"].partition(",")[2])
    assert not {b"gAMA", b"cHRM", b"sRGB", b"iCCP"} & {name for name in re.findall(rb"[A-Za-z]{4}", png[:400])}


# The dots and the plane


def test_dots_lie_at_the_means_of_the_codes_with_their_labels(vae, explorer):
    data = data_of(explorer.page)
    codes = np.asarray(vae.encode(images_for(GREY))[0])
    assert sorted(data["labels"]) == sorted(np.arange(300) % 7)
    for dot, label in zip(np.array(data["dots"]).T, data["labels"]):
        assert np.abs(codes[label::7] - dot).max(axis=1).min() < 1e-3  # image k has label k % 7
    assert np.ptp(codes, axis=0).min() > 2
    assert data["names"] == list(NAMES)
    assert data["colors"] == list(CLASS_COLORS)


def test_at_most_so_many_dots_and_the_same_ones_each_time(vae):
    first, second = (latent_explorer(vae, images_for(GREY), tiles=2, dots=17) for _ in range(2))
    assert first.dots == len(data_of(first.page)["dots"][0]) == 17
    assert first.page == second.page


def test_the_plane_reaches_as_far_as_nearly_all_dots(vae):
    far = latent_explorer(vae, images_for(GREY), tiles=2)
    reach = np.abs(np.array(data_of(far.page)["dots"])).max(axis=0)
    assert far.limit == pytest.approx(max(3, np.quantile(reach, 0.99)), abs=0.11) and far.limit > 3
    assert latent_explorer(vae, tiles=2).limit == 3
    assert latent_explorer(vae, images_for(GREY), tiles=2, limit=1.5).limit == 1.5


def test_labels_without_names_name_themselves(vae):
    data = data_of(latent_explorer(vae, images_for(GREY, 3), ["cat", "dog", "cat"], tiles=2).page)
    assert data["names"] == ["cat", "dog"] and sorted(data["labels"]) == [0, 0, 1]


def test_two_of_four_latents_leave_the_others_at_0(color_vae):
    explorer = latent_explorer(color_vae, images_for(COLOR), plane=(3, 1), tiles=3)
    data = data_of(explorer.page)
    z = np.zeros((1, 4))
    z[0, [3, 1]] = explorer.limit, -explorer.limit
    np.testing.assert_allclose(atlas_of(explorer.page)[0, 2], color_vae.decode(z)[0], atol=0.51 / 255)
    codes = np.asarray(color_vae.encode(images_for(COLOR))[0])
    np.testing.assert_allclose(sorted(data["dots"][0]), np.sort(codes[:, 3]), atol=1e-3)
    assert data["axes"] == [["z₄", "z4"], ["z₂", "z2"]]
    assert data["priorCenter"] == [0, 0]


def test_a_principal_plane_passes_through_the_mean_of_the_codes(color_vae):
    explorer = latent_explorer(color_vae, images_for(COLOR), plane="pca", tiles=3)
    data = data_of(explorer.page)
    codes = np.asarray(color_vae.encode(images_for(COLOR))[0])
    pca = PCA(2).fit(codes)
    np.testing.assert_allclose(sorted(data["dots"][1]), np.sort(pca.transform(codes)[:, 1]), atol=2e-3)
    z = pca.inverse_transform([[explorer.limit, 0], [0, explorer.limit]])
    tiles = atlas_of(explorer.page)[[1, 2], [2, 1]]
    np.testing.assert_allclose(tiles, color_vae.decode(z), atol=0.51 / 255)
    np.testing.assert_allclose(data["priorCenter"], pca.transform(np.zeros((1, 4)))[0], atol=1e-3)
    assert [name for name, _ in data["axes"]] == ["PC 1", "PC 2"]


def test_a_collapsed_model_still_has_a_page(make_vae, grey):
    vae = make_vae()
    for weights in vae.encoder.weights:
        weights.assign(0 * weights)
    explorer = latent_explorer(vae, grey, np.arange(37) % 2, plane="pca", tiles=2)
    assert data_of(explorer.page)["ends"] == [[-1.5, 0], [1.5, 0]]


# What is refused

BAD = {
    "not a model": ({"vae": keras.Sequential()}, "vae is a Sequential"),
    "one latent": ({"vae": 1}, "vae has 1 latent.*latent_dim=2"),
    "size of images": ({"images": np.zeros((5, 28, 28, 1))}, r"images has shape .*\(batch, 10, 12, 1\)"),
    "pixels": ({"images": np.full((5, *GREY), 255.0)}, "images has pixels.*255"),
    "NaN pixels": ({"images": np.full((5, *GREY), np.nan)}, "images has pixels.*finite"),
    "no images": ({"images": np.zeros((0, *GREY)), "labels": []}, "images is empty"),
    "labels alone": ({"images": None}, "labels came without images"),
    "names alone": ({"labels": None}, "class_names came without labels"),
    "more labels": ({"labels": np.zeros(6, int)}, r"labels has shape \(6,\) for 5 images"),
    "one-hot labels": ({"labels": np.zeros((5, 2), int)}, r"labels has shape \(5, 2\) and is not one-hot"),
    "label too high": ({"labels": [0, 1, 2, 0, 1]}, "labels go from 0 to 2.*from 0 to 1"),
    "label too low": ({"labels": [0, 1, -1, 0, 1]}, "labels go from -1 to 1"),
    "half labels": ({"labels": [0, 0.5, 1, 0, 1]}, "labels are fractions.*whole numbers"),
    "plane out of range": ({"plane": (0, 2)}, r"plane is \(0, 2\).*from 0 to 1"),
    "negative plane": ({"plane": (-1, 0)}, r"plane is \(-1, 0\)"),
    "the same twice": ({"plane": (1, 1)}, "plane is .*different"),
    "three latents": ({"plane": (0, 1, 2)}, "plane is"),
    "another plane": ({"plane": "tsne"}, "plane is 'tsne'.*\"pca\""),
    "pca without images": ({"plane": "pca", "images": None, "labels": None, "class_names": None}, "plane is .*images"),
    "limit": ({"limit": float("nan")}, "limit is nan"),
    "tiles": ({"tiles": 1}, "tiles is 1"),
    "dots": ({"dots": 0}, "dots is 0"),
}


@pytest.mark.parametrize("change, message", BAD.values(), ids=BAD)
def test_bad_arguments_are_named_before_any_work(vae, monkeypatch, change, message):
    arguments = {"vae": vae, "images": np.zeros((5, *GREY)), "labels": [0, 1, 0, 1, 0], "class_names": "ab"} | change
    if arguments["vae"] == 1:
        arguments["vae"] = small_vae(GREY, 1)
    for method in ("encode", "decode"):
        monkeypatch.setattr(vh.VAE, method, lambda *_: pytest.fail("the networks ran"))
    with pytest.raises(ValueError, match=message):
        latent_explorer(**arguments)


@pytest.mark.parametrize("network", ["encoder", "decoder"])
def test_a_model_that_gives_nan_is_refused(network):
    vae = small_vae(GREY, 2)
    getattr(vae, network).weights[0].assign(np.nan * getattr(vae, network).weights[0])
    with pytest.raises(ValueError, match=f"vae.{network[:-1].replace('od', 'ode')[:6]}.*not finite"):
        latent_explorer(vae, images_for(GREY, 5), tiles=2)


# The file and the notebook


def test_save_writes_the_page_and_nothing_else(explorer, tmp_path):
    path = tmp_path / "página.html"
    path.write_text("an older page", encoding="utf-8")
    assert explorer.save(str(path)) == path
    assert path.read_bytes() == explorer.page.encode()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name, message", [("page.htm", "end in .html"), ("no/page.html", "does not exist")])
def test_a_path_that_cannot_be_written_is_refused(explorer, tmp_path, name, message):
    with pytest.raises(ValueError, match=message.replace("end in", "ends in")):
        explorer.save(tmp_path / name)


def test_a_locked_folder_and_a_folder_with_that_name_are_refused(explorer, tmp_path, monkeypatch):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(ValueError, match="must be a file"):
        explorer.save(tmp_path / "page.html")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ValueError, match="cannot be written"):
        explorer.save(tmp_path / "other.html")


def test_a_failed_save_leaves_the_old_page(explorer, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        explorer.save(path)
    assert [one.read_text(encoding="utf-8") for one in tmp_path.iterdir()] == ["old"]


def test_the_page_needs_nothing_from_elsewhere(explorer):
    assert not re.search(r"https?:|@import|url\(|\bsrc=|\bhref=", explorer.page.replace("src=x", ""))
    (policy,) = re.findall(r'Content-Security-Policy"\s+content="([^"]*)"', explorer.page)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@pytest.fixture(scope="module")
def hostile(vae):
    """A page with a hostile title, and hostile labels that name themselves."""
    return latent_explorer(vae, images_for(GREY, 30), np.resize(HOSTILE, 30), tiles=3, title="".join(HOSTILE))


@pytest.mark.parametrize("page", ["explorer", "hostile"])
def test_names_cannot_end_the_script_that_holds_them(page, request):
    explorer = request.getfixturevalue(page)
    scripts = []

    class Scripts(HTMLParser):
        def handle_starttag(self, tag, attributes):
            scripts.append(tag)

    Scripts().feed(explorer.page)
    assert scripts.count("script") == 2 and "img" not in scripts
    held = explorer.page.split('id="data">')[1].split("</script")[0]
    assert held.isascii() and not set("<>&") & set(held)


def test_the_notebook_shows_the_same_page_in_a_sandbox(explorer):
    tags = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attributes):
            tags.append((tag, dict(attributes)))

    Tags().feed(explorer._repr_html_())
    ((tag, attributes),) = tags
    assert tag == "iframe" and attributes["srcdoc"] == explorer.page
    assert attributes["sandbox"] == "allow-scripts" and attributes["width"] == "100%"
    assert 500 <= int(attributes["height"]) <= 800 and attributes["title"]
    assert len(repr(explorer)) < 200  # a page where it cannot be shown
