"""The line between before and after, zoom and pan: by mouse, touch and keys."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.pictures import drawn, file
from tests.web.steps import choose, middle, open_view, payload, wait_until

WIDTH, HEIGHT = 300, 200


@pytest.fixture
def shown(page: Page) -> Page:
    """A page with a denoised picture."""
    open_view(page)
    choose(page, payload("a.png", file(drawn("RGB", WIDTH, HEIGHT))))
    wait_until(page, "a.png")
    expect(page.locator(".compare")).to_have_class("compare has-after")
    return page


def line(page: Page) -> Locator:
    return page.get_by_role("slider", name="Line between")


def percent(page: Page) -> float:
    return float(re.sub(r"[^\d.]", "", page.locator(".zoom-figure").inner_text()))


def left_edge(page: Page, canvas: str) -> int:
    """Return the first column of the canvas that is drawn."""
    return next(place for place, pixel in enumerate(middle(page, canvas)) if pixel[3])


def test_the_line_goes_by_mouse(shown: Page) -> None:
    stage = shown.locator(".compare").bounding_box()
    grip = line(shown).bounding_box()
    assert stage
    assert grip
    shown.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + 300)
    shown.mouse.down()
    shown.mouse.move(stage["x"] + stage["width"] * 0.25, grip["y"] + 200, steps=5)
    shown.mouse.up()
    expect(line(shown)).to_have_attribute("aria-valuenow", "25")
    moved = line(shown).bounding_box()
    assert moved
    assert abs(moved["x"] + moved["width"] / 2 - stage["x"] - stage["width"] / 4) < 2
    shown.mouse.move(0, 0)
    expect(line(shown)).to_have_attribute("aria-valuenow", "25")


def test_the_line_goes_by_keys(shown: Page) -> None:
    line(shown).focus()
    for key, value in (
        ("ArrowRight", "52"),
        ("Shift+ArrowLeft", "42"),
        ("Home", "0"),
        ("End", "100"),
        ("ArrowLeft", "98"),
    ):
        shown.keyboard.press(key)
        expect(line(shown)).to_have_attribute("aria-valuenow", value)


def test_the_glass_goes_by_keys_buttons_and_wheel(shown: Page) -> None:
    fitting = percent(shown)
    shown.keyboard.press("1")
    assert percent(shown) == 100
    shown.keyboard.press("+")
    assert percent(shown) == 125
    shown.keyboard.press("-")
    assert percent(shown) == 100
    shown.get_by_role("button", name="8\N{MULTIPLICATION SIGN}").click()
    assert percent(shown) == 800
    shown.keyboard.press("0")
    assert percent(shown) == fitting
    stage = shown.locator(".compare").bounding_box()
    assert stage
    shown.mouse.move(stage["x"] + 100, stage["y"] + 100)
    shown.mouse.wheel(0, -200)
    expect(shown.locator(".zoom-figure")).not_to_have_text(f"{fitting:.0f} %")
    assert percent(shown) > fitting


def test_the_picture_stays_in_sight(shown: Page) -> None:
    fitting = percent(shown)
    for _ in range(5):
        shown.keyboard.press("-")
    assert percent(shown) == min(100, fitting)
    shown.keyboard.press("0")
    shown.locator(".compare").focus()
    edge = left_edge(shown, ".layer")
    shown.keyboard.press("ArrowLeft")
    assert left_edge(shown, ".layer") == edge
    shown.keyboard.press("1")
    for _ in range(40):
        shown.keyboard.press("ArrowLeft")
    line = [pixel[3] for pixel in middle(shown, ".layer")]
    assert line[len(line) // 2 + 2] == 255


def test_a_swipe_over_a_picture_that_fits_is_for_the_page(shown: Page) -> None:
    action = "getComputedStyle(document.querySelector('.compare')).touchAction"
    assert shown.evaluate(action) == "pan-y"
    shown.keyboard.press("8")
    assert shown.evaluate(action) == "none"
    shown.keyboard.press("0")
    assert shown.evaluate(action) == "pan-y"


def test_keys_do_nothing_where_one_types(shown: Page) -> None:
    fitting = percent(shown)
    shown.get_by_role("combobox", name="Model").focus()
    shown.keyboard.press("1")
    assert percent(shown) == fitting


def test_both_sides_move_in_step(shown: Page) -> None:
    shown.keyboard.press("1")
    before = left_edge(shown, ".layer")
    assert left_edge(shown, ".clip canvas") == before
    stage = shown.locator(".compare").bounding_box()
    assert stage
    shown.mouse.move(stage["x"] + 200, stage["y"] + 200)
    shown.mouse.down()
    shown.mouse.move(stage["x"] + 230, stage["y"] + 200, steps=3)
    shown.mouse.up()
    assert left_edge(shown, ".layer") == left_edge(shown, ".clip canvas") == before + 30
    shown.locator(".compare").focus()
    shown.keyboard.press("ArrowRight")
    assert left_edge(shown, ".layer") == left_edge(shown, ".clip canvas") == before - 30


def test_pixels_are_squares_when_enlarged(shown: Page) -> None:
    shown.keyboard.press("8")
    row = middle(shown, ".layer")[200:264]
    changes = sum(one != next for one, next in pairwise(row))
    assert 1 < changes <= 8


def test_two_fingers_magnify(shown: Page) -> None:
    fitting = percent(shown)
    script = """() => {
      const stage = document.querySelector(".compare");
      stage.setPointerCapture = () => {};
      const send = (name, id, x) => stage.dispatchEvent(new PointerEvent(name, {
        pointerId: id, clientX: x, clientY: 300, pointerType: "touch", bubbles: true, button: 0 }));
      send("pointerdown", 1, 300); send("pointerdown", 2, 400);
      send("pointermove", 2, 500); send("pointerup", 1, 300); send("pointerup", 2, 500);
    }"""
    shown.evaluate(script)
    assert percent(shown) == pytest.approx(2 * fitting, rel=0.02)


def test_the_difference_is_another_picture(shown: Page) -> None:
    shown.get_by_role("button", name="Difference").click()
    expect(shown.locator(".side.after")).to_have_text(re.compile("Difference . 8"))
    expect(shown.get_by_role("button", name="Difference")).to_have_attribute("aria-pressed", "true")
