"""The leaderboard's page in a browser, from a file: sorting, filters, permalinks, images, keys, phones, print.

Needs Chromium (Debian's package will do) and Playwright's Python package; skips where either is missing.
"""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stemjax import leaderboard, records
from stemjax.leaderboard import pictures
from tests.toys.board import make_results
from tests.toys.records import a_record, copy_of, some_scores

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def browser() -> Iterator:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra `dev`)")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


def add_pictures(folder: Path) -> None:
    """Three pictures of noise, in two rows, as `experiments.leaderboard_pictures` leaves them."""
    from hashlib import sha256

    from PIL import Image

    found = {record["method"]: record["id"] for record in records.load(folder / "records")}
    rng, rows = np.random.default_rng(0), []
    clean = rng.normal(size=(32, 32))
    target = folder / pictures.FOLDER
    target.mkdir(parents=True)
    for method in ("Raw", "SBD + UNet", "Gaussian filter"):
        made = pictures.panels(clean + rng.normal(size=clean.shape), clean)
        row = {"record": found[method], "method": method, "psnr_db": 20.0, "sha256": {}}
        for kind in pictures.KINDS:
            row[kind] = f"{len(rows)}-{kind}.png"
            Image.fromarray(getattr(made, kind)).save(target / row[kind])
            row["sha256"][kind] = sha256((target / row[kind]).read_bytes()).hexdigest()
        rows.append(row)
    bars = dict.fromkeys(pictures.KINDS, {"part": 25.0, "label": "1 nm"})
    one = {"track": "pt-ceo2", "board": "psnr", "size": "cpu", "title": "toy", "says": "toy", "px": 32}
    (target / "pictures.json").write_text(json.dumps([one | {"bars": bars, "rows": rows}]))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = make_results(tmp_path_factory.mktemp("page"))
    add_pictures(folder)
    leaderboard.write(folder)
    return folder


@pytest.fixture
def page(browser, results) -> Iterator:
    """The page from its file; afterwards no error may have shown, and no request may have left the machine."""
    with browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True) as context:
        opened, faults = context.new_page(), []
        opened.on("console", lambda message: faults.append(message.text))
        opened.on("pageerror", lambda error: faults.append(str(error)))
        # A picture still loading when a test goes to another page is given up: no fault of this one.
        left = "net::ERR_ABORTED"
        opened.on(
            "requestfailed",
            lambda request: request.failure == left or faults.append(f"{request.failure}: {request.url}"),
        )
        outside = ("file:", "data:", "blob:")
        opened.on("request", lambda request: request.url.startswith(outside) or faults.append(request.url))
        opened.goto((results / "index.html").as_uri())
        yield opened
        assert faults == []


def wait_for(page, expression: str, wanted) -> None:
    """Wait until an expression of the page is `wanted`: on a busy machine that is after the click has returned."""
    same = "([expression, wanted]) => JSON.stringify(eval(expression)) === JSON.stringify(wanted)"
    try:
        page.wait_for_function(same, arg=[expression, wanted])
    except Exception as error:
        raise AssertionError(f"{expression} is {page.evaluate(expression)!r}, not {wanted!r}") from error


def wait_for_methods(page, *wanted: str) -> None:
    """Methods of the rows that can be seen, in their order."""
    rows = "[...document.querySelectorAll('tr[data-row]')].filter(row => row.checkVisibility())"
    wait_for(page, f"{rows}.map(row => row.dataset.method)", list(wanted))


def value_of(name: str) -> str:
    return f"document.querySelector('select[name={name}]').value"


def test_sorting_by_click_and_by_key(page):
    orders = "[...document.querySelectorAll('th[aria-sort]')].filter(th => th.ariaSort !== 'none')"
    sorted_by = lambda *wanted: wait_for(page, f"{orders}.map(th => [th.innerText.trim(), th.ariaSort])", [[*wanted]])
    best_first = "SBD + UNet", "Gaussian filter", "Raw"
    score = page.locator("th[aria-sort]", has_text="PSNR")
    title = score.inner_text().strip()
    sorted_by(title, "descending")
    wait_for_methods(page, *best_first)
    score.locator("button").click()
    sorted_by(title, "ascending")
    wait_for_methods(page, *best_first[::-1])
    score.locator("button").click()
    sorted_by(title, "descending")
    wait_for_methods(page, *best_first)
    method = page.locator("th[aria-sort]", has_text="Method")
    method.locator("button").focus()
    page.keyboard.press("Enter")
    sorted_by(method.inner_text().strip(), "ascending")
    wait_for_methods(page, "Gaussian filter", "Raw", "SBD + UNet")


def test_filters_live_in_the_address(page, results):
    page.select_option("select[name=family]", "network")
    wait_for_methods(page, "SBD + UNet")
    wait_for(page, "document.querySelector('output').innerText", "1 rows")
    wait_for(page, "location.hash", "#family=network")
    page.locator("tbody.missing").wait_for(state="hidden")
    page.select_option("select[name=parameters]", "none")
    wait_for_methods(page)
    page.goto((results / "index.html").as_uri() + "#rules=tuned&size=cpu")
    page.reload()
    wait_for_methods(page, "Gaussian filter")
    wait_for(page, value_of("rules"), "tuned")
    page.get_by_role("button", name="Show all").click()
    wait_for(page, "location.hash", "")
    wait_for_methods(page, "SBD + UNet", "Gaussian filter", "Raw")
    page.select_option("select[name=size]", "gpu")
    wait_for_methods(page)
    page.locator("section#pt-ceo2", has_text="All 4 methods are missing").wait_for()


def test_a_link_shows_what_a_filter_hid_and_keeps_the_others(page, results):
    page.goto((results / "index.html").as_uri() + "#size=gpu&rules=tuned")
    page.reload()
    wait_for_methods(page)
    page.evaluate("document.querySelector('.board[data-size=cpu]').id = 'wanted'; location.hash = '#wanted'")
    wait_for(page, "location.hash", "#rules=tuned")
    wait_for_methods(page, "Gaussian filter")
    wait_for(page, value_of("size"), "")


def test_a_view_is_downloaded(page):
    page.select_option("select[name=supervision]", "supervised")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV of this view").click()
    (row,) = csv.DictReader(io.StringIO(Path(download.value.path()).read_text()))
    assert (row["method"], row["track"], row["size"], row["rank"]) == ("SBD + UNet", "pt-ceo2", "cpu", "1")
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").click()
    assert json.loads(Path(download.value.path()).read_text())[0]["seeds"] == "3"


def test_a_permalink_shows_the_record_in_full(page, results):
    record = next(r for r in records.load(results / "records") if r["method"] == "Gaussian filter")
    page.locator("tr[data-method='Gaussian filter'] a").click()
    page.wait_for_url(f"**/leaderboard/pt-ceo2.html#{record['id'][:16]}")
    text = page.locator("article:target").inner_text()
    for wanted in (record["id"], record["command"], record["denoiser_hash"], record["hardware"]["cpu"]):
        assert wanted in text
    page.locator("article:target summary").click()
    rows = records.load_scores(results / "records", [record])[record["id"]]
    page.locator("article:target table.images", has_text=f"{rows[0]['psnr_db']:.2f}").wait_for()
    assert page.locator("article:target table.images td").count() == len(rows)
    page.get_by_role("link", name="Leaderboard").click()
    page.wait_for_url("**/index.html#pt-ceo2")


def test_images_are_compared_by_slider_flip_and_keys(page):
    stage, slider = page.locator(".stage"), page.locator(".compare input[type=range]")
    cut_at = lambda value: wait_for(page, "document.querySelector('.stage').style.getPropertyValue('--cut')", value)
    shows = lambda side, name: stage.locator(f".{side}[src$='{name}.png']").wait_for()
    wait_for(page, "[...document.images].every(image => image.complete)", True)  # nothing moves any more
    cut_at("50%")
    wait_for(page, "document.querySelector('.stage .scalebar').innerText", "1 nm")
    slider.focus()
    page.keyboard.press("ArrowRight")
    cut_at("51%")
    page.keyboard.press("f")
    cut_at("0%")
    page.get_by_role("button", name="Flip").click()
    cut_at("100%")
    stage.click(position={"x": 0.25 * stage.bounding_box()["width"], "y": 20})
    cut_at("25%")
    shows("under", "0-image")
    slider.focus()
    page.keyboard.press("2")
    wait_for(page, "document.querySelector('.kinds [aria-pressed=true]').innerText", "Residual")
    shows("over", "-residual")
    page.get_by_label("Left image").select_option("2")
    shows("under", "2-residual")
    assert stage.locator(".under").evaluate("image => image.decode().then(() => image.naturalWidth)") == 32


def test_pictures_of_superseded_records_are_left_out_and_said(results, tmp_path):
    folder, scores = copy_of(results, tmp_path), some_scores(29.0)
    records.append(folder / "records", a_record(scores), scores)
    html = leaderboard.render(folder)[folder / "index.html"].decode()
    assert "their records are superseded: Gaussian filter." in html and html.count(f'<img src="{pictures.FOLDER}/') == 2


def test_pictures_of_derived_records_stay_and_their_records_say_how_they_came(results, tmp_path):
    folder = copy_of(results, tmp_path)
    record = next(r for r in records.load(folder / "records") if r["method"] == "Gaussian filter")
    rows = records.stored_scores(folder / "records", record)
    records.append(folder / "records", records.derived_record(record, rows, "SSIM taken again"), rows)
    rendered = leaderboard.render(folder)
    html = rendered[folder / "index.html"].decode()
    assert "superseded" not in html and html.count(f'<img src="{pictures.FOLDER}/') == 3
    page = rendered[folder / "leaderboard" / "pt-ceo2.html"].decode()
    assert f"<dt>Derived<dd>SSIM taken again (record {record['id'][:16]}" in page


def test_it_reads_without_javascript(browser, results):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto((results / "index.html").as_uri())
        text = page.locator("main").inner_text()
        assert page.locator("tr[data-row]:visible").count() == 3 and "VST + BM3D" in text
        assert not page.locator(".filters").is_visible() and page.locator(".strip img").count() == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_the_published_page_fits_its_window(browser, width, scheme):
    """No sideways scrolling, and text that stands out from the paper it is printed on."""
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto((ROOT / "results" / "index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colours = page.evaluate("['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name])")
        ink, paper = (np.mean([int(value) for value in re.findall(r"\d+", colour)[:3]]) for colour in colours)
        assert abs(ink - paper) > 150 and (ink > paper) == (scheme == "dark")


def test_print_hides_the_controls_and_keeps_the_tables(page):
    page.emulate_media(media="print")
    for controls in (".filters", ".viewer"):
        page.locator(controls).wait_for(state="hidden")
    wait_for_methods(page, "SBD + UNet", "Gaussian filter", "Raw")


def test_the_published_page_is_small():
    assert (ROOT / "results" / "index.html").stat().st_size < 300_000
