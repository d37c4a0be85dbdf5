"""The pages in a real headless Chromium: what moves, what sorts, what opens, and that nothing is asked of a network."""

import base64
import io

import pytest
from chromium import BROWSER, browser
from PIL import Image

from avatar_exp.report.page import write_comparison, write_report

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is on this machine")

MARKUP = "<img src=x onerror='window.markup = 1'>"
STEPS = "[...document.querySelectorAll('#grids tbody tr')].map(row => row.dataset.step)"
NAMES = "[...document.querySelectorAll('#table tbody tr')].map(row => row.querySelector('th a').textContent)"


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def runs(tmp_path, made):
    """Three runs that were pictured at other steps, and one that failed."""
    prompts = ("photo of hoanganh person", MARKUP)
    low, high = (
        {str(s): {"score/likeness": v, "score/prompt": 0.5, "score/choice": v} for s in (0, 10)} for v in (0.05, 0.7)
    )
    made(tmp_path / "a10", prompts=prompts, lr="9e-6", scores=high, best_step=10)
    made(tmp_path / "a9", prompts=prompts, lr="1e-5", scores=low, best_step=10)
    made(tmp_path / "b", prompts=prompts, steps=(0, 15), lr="2e-6")
    made(tmp_path / "c", prompts=prompts, steps=(0,), scores={}, best_step=None, status="failed", error=MARKUP)
    (tmp_path / "c" / "metrics.jsonl").unlink()
    return tmp_path


@pytest.fixture
def tab(window, runs):
    """The comparison, opened; afterwards it must not have complained, nor asked for anything."""
    file = runs / "compare.html"
    write_comparison([runs / name for name in ("a10", "a9", "b", "c")], file)
    window.look(1200, 900)
    window.open(file)
    yield window
    complaints_and_requests(window, runs)


def complaints_and_requests(window, folder):
    said = [
        one for one in window.events if one.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    ]
    said += [one for one in window.events if one.get("method") == "Log.entryAdded" and "gone.png" not in str(one)]
    assert said == []
    asked = [e["params"]["request"]["url"] for e in window.events if e.get("method") == "Network.requestWillBeSent"]
    assert {one for one in asked if not one.startswith(("blob:", "data:", folder.as_uri()))} == set()
    assert window.js("window.markup") is None


def green(tab, row: int) -> int:
    """The green of a row's first picture, which tells its step (times 8)."""
    x, y = tab.js(
        f"(b => [b.x + b.width / 2, b.y + b.height / 2])(document.querySelectorAll('#grids tbody tr')[{row}]"
        ".querySelector('.pic').getBoundingClientRect())"
    )
    tab.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    picture = Image.open(io.BytesIO(base64.b64decode(tab.call("Page.captureScreenshot")["data"])))
    return picture.convert("RGB").getpixel((round(x), round(y)))[1]


def test_one_slider_moves_all_grids(tab):
    tab.js("document.querySelector('#pictures').scrollIntoView()")
    slider = "document.getElementById('step')"
    assert tab.js(f"{slider}.max") == "3"  # 0, 10, 15, 20
    expected = {
        0: ["0", "0", "0", "0"],
        1: ["10", "10", "0", "0"],
        2: ["10", "10", "15", "0"],
        3: ["20", "20", "15", "0"],
    }
    for place, steps in expected.items():
        tab.js(f"{slider}.value = {place}; {slider}.dispatchEvent(new Event('input'))")
        assert tab.js(STEPS) == steps
        for row, step in enumerate(steps):
            assert green(tab, row) == pytest.approx(8 * int(step), abs=8)
    assert tab.js("document.getElementById('step-shown').textContent") == "20"


def test_arrow_keys_move_the_slider(tab):
    assert tab.js("document.getElementById('step').value") == "1"  # the best run's best step
    tab.js("document.getElementById('step').focus()")
    tab.key("ArrowRight")
    assert tab.js(STEPS) == ["10", "10", "15", "0"]
    tab.js("document.querySelector('.pic').focus()")
    tab.key("ArrowLeft")
    tab.key("ArrowLeft")
    assert tab.js(STEPS) == ["0", "0", "0", "0"]
    assert tab.js("document.getElementById('step').getAttribute('aria-valuetext')") == "base"


def test_every_step_of_every_run_can_be_shown(tab):
    tab.click("#every")
    assert tab.js(STEPS) == ["0", "10", "20", "0", "10", "20", "0", "15", "0"]
    tab.click("#every")
    assert tab.js(STEPS) == ["10", "10", "0", "0"]


def title(number: int) -> str:
    return f"#table thead th:nth-child({number}) button"


def test_a_click_on_a_title_sorts_by_number_and_what_is_not_known_comes_last(tab):
    texts = tab.js("[...document.querySelectorAll('#table thead th')].map(one => one.textContent)")
    choice, lr = texts.index("choice") + 1, texts.index("lr") + 1
    assert tab.js(NAMES) == ["a10", "a9", "b", "c"]
    tab.click(title(choice))
    descending = tab.js(NAMES)
    assert descending[0] == "a10"
    assert descending[-1] == "c"
    assert descending.index("a9") == 2
    assert tab.js(f"document.querySelector('{title(choice)}').parentNode.ariaSort") == "descending"
    tab.click(title(choice))
    assert tab.js(NAMES) == [*descending[2::-1], "c"]
    tab.click(title(lr))
    assert tab.js(NAMES)[:3] == ["a9", "a10", "b"]  # 1e-5 > 9e-6 > 2e-6: not as text
    assert tab.js("document.querySelectorAll('#table [aria-sort]').length") == 1


def test_the_keyboard_sorts_too(tab):
    tab.js(f"document.querySelector('{title(1)}').focus()")
    tab.key("Enter")
    tab.key("Enter")
    assert tab.js(NAMES) == ["c", "b", "a9", "a10"]


def test_a_picture_opens_large_moves_and_closes(tab, runs):
    (runs / "a10" / "samples" / "step_00020" / "00_0.png").rename(runs / "a10" / "elsewhere.png")
    tab.js("document.querySelector('.pic').focus()")
    tab.click(".pic")
    assert tab.js("document.getElementById('enlarged').open")
    assert tab.js("document.getElementById('enlarged').contains(document.activeElement)")
    tab.until("document.querySelector('.frame img')?.naturalWidth === 64")  # the file beside the page
    caption = "document.querySelector('.caption').textContent"
    assert tab.js(caption) == "photo of hoanganh person · seed 1337 · a10 · step 10"
    tab.key("ArrowLeft")
    assert tab.js(caption).endswith("a10 · base")
    tab.key("ArrowRight")
    tab.key("ArrowRight")
    assert tab.js(caption).endswith("a10 · step 20")
    assert tab.js("document.querySelector('.frame').style.backgroundImage").startswith('url("blob:')
    assert tab.js("new Promise(done => setTimeout(() => done(document.querySelector('.frame img')), 300))") is None
    tab.key("Escape")
    assert not tab.js("document.getElementById('enlarged').open")
    assert tab.js("document.activeElement === document.querySelector('.pic')")
    tab.events[:] = [one for one in tab.events if "00_0.png" not in str(one)]  # the missing file is in the log


def test_two_runs_are_compared_and_exchanged(tab):
    rows = "[...document.querySelectorAll('#pair tbody tr')].map(row => [...row.children].map(one => one.textContent))"
    chosen = "['pair-first', 'pair-second'].map(id => document.getElementById(id).selectedOptions[0].textContent)"
    assert tab.js(chosen) == ["a10, step 10", "a9, step 10"]
    before = tab.js(rows)
    stored = tab.js("json('pairs-data').pairs['0,1']")
    assert [abs(float(row[1].replace("−", "-"))) for row in before] == [
        pytest.approx(abs(one["mean"]), abs=6e-4) for one in stored
    ]
    tab.js("(s => {s.value = 1; s.dispatchEvent(new Event('change'))})(document.getElementById('pair-first'))")
    tab.js("(s => {s.value = 0; s.dispatchEvent(new Event('change'))})(document.getElementById('pair-second'))")
    assert tab.js(chosen) == ["a9, step 10", "a10, step 10"]
    flipped = str.maketrans("+−", "−+")
    assert [row[1] for row in tab.js(rows)] == [row[1].translate(flipped) for row in before]


def test_a_run_is_followed_from_the_legend(tab):
    hot = "[...document.querySelectorAll('.series.hot')].every(one => one.dataset.run === '1')"
    tab.js("document.querySelector('.legend [data-run=\"1\"]').focus()")
    assert tab.js(hot)
    assert tab.js("document.querySelectorAll('.series.hot').length") > 2
    tab.click('.legend [data-run="1"]')
    tab.js("document.activeElement.blur()")
    assert tab.js("document.body.classList.contains('following')")
    assert tab.js("document.querySelector('.legend [aria-pressed=true]').dataset.run") == "1"


def test_the_command_is_copied_or_selected(tab):
    tab.js("document.querySelector('#run-0').open = true")
    tab.click("#run-0 .copy")
    tab.until("document.querySelector('#run-0 .copy').textContent !== 'copy'")
    assert tab.js("document.querySelector('#run-0 .copy').textContent") in ("copied", "selected")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_is_wide_enough_and_the_scheme_is_followed(tab, scheme):
    tab.look(360, 740, scheme)
    assert tab.js("document.documentElement.scrollWidth") <= 360
    background = tab.js("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) > 380) == (scheme == "light")
    tab.look(1200, 900)


def test_settings_over_seeds_sort_and_fit_a_phone(window, tmp_path, made):
    for lr in ("9e-6", "1e-5", "2e-6"):
        for seed in (1, 2):
            made(tmp_path / f"{lr}_{seed}", lr=lr, overrides=[f"lr={lr}", f"seed={seed}"]).update(seed=seed)
    file = tmp_path / "compare.html"
    write_comparison(sorted(tmp_path.iterdir()), file)
    window.look(1200, 900)
    window.open(file)
    tables = "[...document.querySelectorAll('#settings table')]"
    first = f"{tables}.map(one => [...one.querySelectorAll('tbody th')].map(cell => cell.textContent))"
    means, differences = window.js(first)
    assert means == ["1e-5", "2e-6", "9e-6"]
    best = window.js("document.querySelector('#settings tr.best th').textContent")
    assert differences == [lr for lr in means if lr != best]
    window.click("#settings thead button")
    assert window.js(first) == [["2e-6", "9e-6", "1e-5"], differences]  # as numbers, and this table alone
    window.look(360, 740)
    assert window.js("document.documentElement.scrollWidth") <= 360
    window.look(1200, 900)
    complaints_and_requests(window, tmp_path)


def test_the_page_of_one_run_shows_all_its_steps(window, runs):
    window.look(1200, 900)
    window.open(write_report(runs / "a10"))
    assert window.js(STEPS) == ["0", "10", "20"]
    word = "document.querySelector('tr.star th b').dataset.word"
    assert window.js(word) == "least bad"  # 3 of its 4 pictures are copies
    assert not window.js("document.querySelector('#more-curves').open")
    window.click("#more-curves summary")
    assert window.js("document.querySelector('#more-curves .plot').getBoundingClientRect().height") > 50
    window.click("#every")
    assert window.js(STEPS) == ["10"]
    window.look(360, 740)
    assert window.js("document.documentElement.scrollWidth") <= 360
    window.click(".pic")
    window.until("document.querySelector('.frame img')?.naturalWidth === 64")
    complaints_and_requests(window, runs)
