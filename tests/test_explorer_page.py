"""What the page of tiles does in real browsers without a network, and what all pages have in common."""

import itertools
import re

import numpy as np
import pytest
from explorer_pages import (
    BROWSERS,
    COLOR,
    CUT,
    GREY,
    HOSTILE,
    NAMES,
    SIZES,
    data_of,
    find_overlaps,
    image,
    images_for,
    open_browser,
    position,
    small_vae,
    to_screen,
    visits,
    wait_until,
)

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
def hostile(vae):
    """A page with a hostile title, and hostile labels that name themselves."""
    return latent_explorer(vae, images_for(GREY, 30), np.resize(HOSTILE, 30), tiles=3, title="".join(HOSTILE))


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request, tmp_path_factory):
    with open_browser(request.param, tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="module")
def file(explorer, tmp_path_factory):
    return explorer.save(tmp_path_factory.mktemp("explorer") / "page.html")


@pytest.fixture
def visit(browser, file):
    with visits(browser, file) as visit:
        yield visit


def tile_center(explorer, column, row):
    return np.linspace(-explorer.limit, explorer.limit, explorer.tiles)[[column, row]]


def test_the_pointer_at_a_tile_shows_the_decoders_image(visit, vae, explorer):
    page = visit()
    for column, row in [(2, 8), (8, 2), (0, 0), (10, 5)]:
        point = tile_center(explorer, column, row)
        page.mouse.move(*to_screen(page, point))
        assert np.abs(position(page) - point).max() < 0.02 * explorer.limit
        assert np.abs(image(page) - vae.decode(point[None])[0]).mean() < 2 / 255
        text = page.inner_text("#position")
        assert text.split() == [part.replace("-", "−") for k in (0, 1) for part in readout(page, k)]


def readout(page, k):
    return ("z₁", "z₂")[k], "=", f"{position(page)[k] + 0.0:.2f}".replace("-0.00", "0.00")


def test_between_tiles_the_page_is_as_far_from_the_decoder_as_it_says(visit, vae, explorer):
    page = visit()
    axis = np.linspace(-explorer.limit, explorer.limit, 11)
    middles = (axis[1:] + axis[:-1]) / 2
    pairs = [(middles, axis), (axis, middles), (middles, middles)]
    points = np.array([point for pair in pairs for point in itertools.product(*pair)])
    shown = page.evaluate(
        "points => points.map((point) => { explorer.moveTo(point); return explorer.pixels(); })", points.tolist()
    )
    errors = np.abs(np.array(shown).reshape(-1, *GREY) / 255 - vae.decode(points)).mean(axis=(1, 2, 3))
    assert max(errors) == pytest.approx(explorer.worst_error, abs=0.1 / 255)
    assert f"at most {100 * explorer.worst_error:.1f}%" in page.inner_text("#note")


def test_colour_and_more_latents(visit, tmp_path):
    color_vae = small_vae(COLOR, 4)
    explorer = latent_explorer(color_vae, images_for(COLOR), plane=(3, 1), tiles=9)
    page = visit(explorer.save(tmp_path / "page.html"))
    point = tile_center(explorer, 1, 6)
    page.evaluate("point => explorer.moveTo(point)", point.tolist())
    z = np.zeros((1, 4))
    z[0, [3, 1]] = point
    assert np.abs(image(page, COLOR) - color_vae.decode(z)[0]).mean() < 1 / 255
    assert "projections" in page.inner_text("#note") and "other 2 latents are 0" in page.inner_text("#note")
    assert "z₄" in page.inner_text("#position")
    assert not page.is_visible("#legend") and not page.is_visible("#nearest") and page.is_visible("#points")


def test_without_images_there_are_no_dots_and_no_classes(visit, vae, tmp_path):
    page = visit(latent_explorer(vae, tiles=5, title="<b>1</b>").save(tmp_path / "page.html"))
    assert page.title() == page.inner_text("h1") == "<b>1</b>"  # a title is text too
    assert not any(page.is_visible(part) for part in ("#legend", "#nearest", "#points"))
    page.focus("#plane")
    page.keyboard.press("ArrowUp")
    wait_until(page, "document.getElementById('live').textContent")
    assert "class" not in page.inner_text("#live")


def test_arrow_keys_move_the_point_and_shift_moves_it_further(visit, explorer):
    page = visit()
    page.evaluate("explorer.moveTo([0, 0])")
    page.focus("#plane")
    moves = {"ArrowRight": (1, 0), "ArrowLeft": (-1, 0), "ArrowUp": (0, 1), "ArrowDown": (0, -1)}
    for key, direction in moves.items():
        steps = []
        for prefix in ("", "Shift+"):
            before = position(page)
            page.keyboard.press(prefix + key)
            steps.append((position(page) - before) @ direction)
            assert abs((position(page) - before) @ direction[::-1]) < 1e-9
        assert 0 < steps[0] < 0.1 * explorer.limit and steps[1] > 2 * steps[0]
    for _ in range(40):
        page.keyboard.press("Shift+ArrowRight")
    assert position(page)[0] == explorer.limit
    page.evaluate("explorer.moveTo([NaN, 0])")
    assert position(page)[0] == explorer.limit


def test_a_screen_reader_hears_the_position_but_not_every_step(visit):
    page = visit()
    wait_until(page, "document.getElementById('live').textContent")
    page.evaluate(
        """() => { window.heard = [];
        new MutationObserver(() => heard.push(document.getElementById("live").textContent))
          .observe(document.getElementById("live"), { childList: true }); }"""
    )
    page.evaluate("explorer.moveTo([-0.1, 1])")
    page.focus("#plane")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    wait_until(page, "heard.length && heard.at(-1) === document.getElementById('live').textContent")
    page.wait_for_timeout(700)
    heard = page.evaluate("heard")
    x, y = position(page)
    assert len(heard) <= 4
    assert heard[-1].startswith(f"z1 {x:.2f}, z2 {y:.2f}, nearest class: ")
    assert page.get_attribute("#live", "aria-live") == "polite"


def test_the_nearest_class_is_that_of_the_nearest_dot_shown(visit, explorer):
    page = visit()
    data = data_of(explorer.page)
    dots, labels = np.array(data["dots"]).T, np.array(data["labels"])
    point = np.array([0.3, -0.4])
    page.evaluate("point => explorer.moveTo(point)", point.tolist())
    for _ in range(3):
        nearest = labels[np.linalg.norm(dots - point, axis=1).argmin()]
        assert page.evaluate("explorer.state.nearest") == nearest
        assert page.text_content("#nearest") == f"nearest class: {NAMES[nearest]}"
        page.locator("#legend button").nth(nearest).click()
        dots, labels = dots[labels != nearest], labels[labels != nearest]


COUNT_PIXELS = """([low, high]) => {
  const limit = explorer.data.limit, box = document.getElementById("ground").getBoundingClientRect();
  const [left, top] = explorer.toScreen([-limit, limit]), side = explorer.toScreen([limit, 0])[0] - left;
  const inside = document.createElement("canvas");
  inside.width = inside.height = Math.floor(side) - 4;
  const context = inside.getContext("2d");
  context.drawImage(document.getElementById("ground"), box.left - left - 2, box.top - top - 2);
  const pixels = context.getImageData(0, 0, inside.width, inside.height).data;
  let count = 0;
  for (let k = 0; k < pixels.length; k += 4)
    count += low.every((value, c) => value <= pixels[k + c] && pixels[k + c] <= high[c]);
  return count;
}"""


def pixels_like(page, color, tolerance=25):
    """How many pixels of the plane have about this colour (a dot lets a little of the white paper through)."""
    rgb = [0.85 * int(color[k : k + 2], 16) + 0.15 * 255 for k in (1, 3, 5)]
    return page.evaluate(COUNT_PIXELS, [[value - tolerance for value in rgb], [value + tolerance for value in rgb]])


def test_classes_dots_and_the_map_can_be_switched_off(visit):
    page = visit()
    paper = page.evaluate(COUNT_PIXELS, [[255] * 3, [255] * 3])
    page.click("#map")
    assert page.evaluate(COUNT_PIXELS, [[255] * 3, [255] * 3]) > 2 * paper
    before = [pixels_like(page, color) for color in CLASS_COLORS[:3]]
    assert min(before) > 20
    button = page.locator("#legend button").nth(1)
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    after = [pixels_like(page, color) for color in CLASS_COLORS[:3]]
    assert after[1] < 0.02 * before[1] and after[0] > 0.9 * before[0] and after[2] > 0.9 * before[2]
    button.click()
    assert [pixels_like(page, color) for color in CLASS_COLORS[:3]] == before
    page.click("#points")
    assert max(pixels_like(page, color) for color in CLASS_COLORS[:3]) < 0.02 * min(before)
    assert page.get_attribute("#points", "aria-pressed") == page.get_attribute("#map", "aria-pressed") == "false"


def test_black_dots_are_seen_in_the_dark_theme(visit):
    page = visit(color_scheme="dark")
    page.click("#map")
    for k in range(6):  # the seventh class is black
        page.locator("#legend button").nth(k).click()
    light = [[100] * 3, [255] * 3]
    assert page.evaluate(COUNT_PIXELS, light) > 50
    page.locator("#legend button").nth(6).click()
    assert page.evaluate(COUNT_PIXELS, light) == 0


@pytest.mark.parametrize("scheme, at_first, then", [("light", "bright", "dark"), ("dark", "dark", "bright")])
def test_the_theme_follows_the_system_until_it_is_changed(visit, scheme, at_first, then):
    page = visit(color_scheme=scheme)
    paper = "getComputedStyle(document.body).backgroundColor"
    first = page.evaluate(paper)
    assert page.get_attribute("html", "data-theme") == at_first
    page.click("#theme")
    assert page.get_attribute("html", "data-theme") == then
    brightness = [sum(map(int, re.findall(r"\d+", color)[:3])) for color in (first, page.evaluate(paper))]
    assert (brightness[0] > 600 > 150 > brightness[1]) == (scheme == "light")


def test_clicks_set_a_and_b_and_the_walk_goes_from_one_to_the_other(visit):
    page = visit()
    ends = np.array([[-1.5, 1.0], [2.0, -0.5]])
    for point in ends:
        page.mouse.click(*to_screen(page, point))
    pins = np.array(page.evaluate("[explorer.state.pins.A, explorer.state.pins.B]"))
    np.testing.assert_allclose(pins, ends, atol=0.05)
    page.mouse.move(*to_screen(page, [0, 2.5]))
    page.evaluate("explorer.state.walkMs = 400")
    page.evaluate(
        """() => { window.seen = [];
        requestAnimationFrame(function look() {
          if (explorer.state.walking) seen.push(explorer.state.position);
          requestAnimationFrame(look);
        }); }"""
    )
    page.click("#play")
    assert page.inner_text("#play") == "Pause"
    wait_until(page, "!explorer.state.walking")
    np.testing.assert_array_equal(position(page), pins[1])
    along = (np.array(page.evaluate("seen"))[1:] - pins[0]) / (pins[1] - pins[0])
    np.testing.assert_allclose(along[:, 0], along[:, 1], atol=1e-9)
    assert (np.diff(along[:, 0]) >= 0).all() and along[:, 0].min() < 0.3 and len(np.unique(along[:, 0])) > 5
    assert page.inner_text("#play") == "Play A to B"


def test_the_walk_pauses_and_goes_on(visit):
    page = visit()
    page.evaluate("explorer.state.walkMs = 2000")
    page.focus("#plane")
    page.keyboard.press("Space")
    wait_until(page, "explorer.state.progress > 0.05")
    page.mouse.move(*to_screen(page, [0, 0]))  # a mouse that passes does not disturb it
    assert page.evaluate("explorer.state.walking")
    page.click("#play")
    paused = position(page)
    page.wait_for_timeout(100)
    np.testing.assert_array_equal(position(page), paused)
    progress = page.evaluate("explorer.state.progress")
    page.click("#play")
    wait_until(page, f"explorer.state.progress > {progress} + 0.03")
    page.focus("#plane")
    page.keyboard.press("ArrowUp")
    assert not page.evaluate("explorer.state.walking")


def test_a_and_b_can_be_set_by_keys_and_buttons(visit):
    page = visit()
    page.focus("#plane")
    for how, pin in ((lambda: page.keyboard.press("a"), "A"), (lambda: page.keyboard.press("b"), "B")):
        page.keyboard.press("Shift+ArrowUp")
        how()
        assert page.evaluate(f"explorer.state.pins.{pin}") == position(page).tolist()
    for pin in "AB":
        page.evaluate("explorer.moveTo([0.5, -0.5])")
        page.click(f"#set{pin}")
        assert page.evaluate(f"explorer.state.pins.{pin}") == [0.5, -0.5]


def test_readers_who_want_less_motion_get_steps(visit):
    page = visit(reduced_motion="reduce")
    page.evaluate("explorer.state.walkMs = 400")
    page.evaluate(
        """() => { window.seen = new Set();
        requestAnimationFrame(function look() {
          seen.add(explorer.state.position.join());
          requestAnimationFrame(look);
        }); }"""
    )
    page.click("#play")
    wait_until(page, "!explorer.state.walking")
    assert 3 < page.evaluate("seen.size") <= 11
    assert position(page).tolist() == page.evaluate("explorer.state.pins.B")


def test_surprises_come_from_the_prior(visit, explorer):
    page = visit()
    page.click("#surprise")
    first = position(page)
    page.click("#surprise")
    assert (position(page) != first).all()
    draws = np.array(
        page.evaluate(
            """() => Array.from({ length: 1000 }, () => {
            document.getElementById("surprise").click();
            return explorer.state.position;
          })"""
        )
    )
    assert np.abs(draws).max() <= explorer.limit
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.15)
    np.testing.assert_allclose(np.cov(draws.T), np.eye(2), atol=0.2)


def test_a_plane_far_from_the_prior_does_not_hang(visit, explorer):
    page = visit()
    page.evaluate("explorer.data.priorCenter = [50, 0]")
    page.click("#surprise", timeout=3000)
    assert position(page)[0] == explorer.limit


def test_hostile_names_are_shown_as_text(visit):
    page = visit()
    shown = page.locator("#legend button").all_text_contents()
    assert shown == list(NAMES)
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    assert page.evaluate("document.querySelectorAll('img').length") == 0


def test_a_hostile_title_and_hostile_labels_are_shown_as_text(visit, hostile, tmp_path):
    page = visit(hostile.save(tmp_path / "page.html"))
    assert page.text_content("h1") == page.evaluate("document.title") == "".join(HOSTILE)
    assert page.locator("#legend button").all_text_contents() == sorted(HOSTILE)
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    assert page.evaluate("document.querySelectorAll('img').length") == 0


PARTS = ("h1", "#theme", "#plane", "#picture", "#readout", "#walk", "#tools", "#hint", "#legend", "footer")


@pytest.mark.parametrize("width, height, touch", [(360, 740, True), (800, 680, False), (1600, 900, False)])
def test_nothing_overlaps_or_is_cut(visit, width, height, touch):
    page = visit(width=width, height=height, has_touch=touch, is_mobile=touch, device_scale_factor=2 if touch else 1)
    page.evaluate(  # where the nearest class has the long name
        "(k => explorer.moveTo([explorer.data.dots[0][k], explorer.data.dots[1][k]]))(explorer.data.labels.indexOf(5))"
    )
    assert NAMES[5] in page.text_content("#nearest")
    boxes = {part: page.locator(part).bounding_box() for part in PARTS}
    assert not list(find_overlaps(boxes))
    buttons = [button.bounding_box() for button in page.locator("button:visible").all()]
    for box in (*boxes.values(), *buttons):
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert min(button["height"] for button in buttons) >= 34
    for part in ("#plane", "#picture", "#walk"):
        assert boxes[part]["y"] + boxes[part]["height"] <= height, f"{part} is below the screen"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CUT) == []
    assert min(page.evaluate(SIZES)) >= 13


def test_a_finger_moves_the_point_and_a_tap_sets_a(visit, browser):
    page = visit(width=360, height=740, has_touch=True, is_mobile=True)
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        touches = [{"x": x, "y": y} for x, y in (to_screen(page, point) for point in points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    pins = page.evaluate("explorer.state.pins")
    touch("touchStart", (-1, -1))
    for k in range(1, 6):
        touch("touchMove", (-1 + 0.4 * k, -1 + 0.3 * k))
    wait_until(page, "Math.hypot(explorer.state.position[0] - 1, explorer.state.position[1] - 0.5) < 0.05")
    touch("touchEnd")
    assert page.evaluate("explorer.state.pins") == pins  # a drag is not a tap
    assert page.evaluate("scrollY") == 0
    page.touchscreen.tap(*to_screen(page, [-1, 2]))
    wait_until(page, "explorer.state.nextPin === 'B'")
    np.testing.assert_allclose(page.evaluate("explorer.state.pins.A"), [-1, 2], atol=0.05)


def test_every_control_is_reached_by_keyboard(visit):
    page = visit()
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert reached[:15] == ["theme", "plane", "play", "surprise", "setA", "setB", "map", "points", *NAMES]
    plane = page.locator("#plane")
    assert plane.get_attribute("role") == "application" and plane.get_attribute("aria-label")
    assert page.get_attribute("#picture", "role") == "img"


def test_the_page_works_inside_a_notebook_cell(visit, vae, explorer, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><meta charset=utf-8><p>Out[1]:</p>{explorer._repr_html_()}", encoding="utf-8")
    page = visit(path, ready=False)
    frame = page.frames[1]
    frame.wait_for_selector("html[data-ready]")
    point = tile_center(explorer, 3, 8)
    corner = page.locator("iframe").bounding_box()
    x, y = to_screen(frame, point)
    page.mouse.move(corner["x"] + x, corner["y"] + y)
    assert np.abs(image(frame) - vae.decode(point[None])[0]).mean() < 2 / 255
    assert "not exact" not in frame.inner_text("#note")
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_browser_that_changes_pixels_is_named(visit, explorer, tmp_path):
    path = tmp_path / "page.html"
    spoilt = 'CanvasRenderingContext2D.prototype.getImageData = (x, y, w, h) => new ImageData(w, h);\n"use strict";'
    path.write_text(explorer.page.replace('"use strict";', spoilt), encoding="utf-8")
    assert "not exact" in visit(path).inner_text("#note")
    path.write_text(explorer.page.replace("base64,iVBOR", "base64,AAAAA"), encoding="utf-8")
    page = visit(path, ready=False)
    wait_until(page, "document.getElementById('note').textContent.includes('could not be read')")


def test_a_pointer_move_costs_less_than_a_frame(visit, tmp_path):
    vae = small_vae((28, 28, 1), 2, 1.0)
    large = latent_explorer(vae, images_for((28, 28, 1), 2100), np.arange(2100) % 10, tiles=41)
    page = visit(large.save(tmp_path / "page.html"), width=1600, height=900)
    points = np.random.default_rng(0).uniform(-2.9, 2.9, (200, 2))
    moves = page.evaluate(
        """points => points.map((point) => {
          const [clientX, clientY] = explorer.toScreen(point);
          const move = new PointerEvent("pointermove", { clientX, clientY, isPrimary: true, pointerType: "mouse" });
          document.getElementById("plane").dispatchEvent(move);
          return [explorer.lastMs(), ...explorer.state.position];
        })""",
        points.tolist(),
    )
    milliseconds, *shown = np.array(moves).T
    np.testing.assert_allclose(np.transpose(shown), points, atol=0.03)  # each time is that of its move
    assert 0 < np.mean(milliseconds) < 16  # Firefox counts whole milliseconds
