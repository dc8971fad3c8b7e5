"""`stemjax denoise --watch`: frames that come one by one, in the right order, whole, and without a look ahead."""

import io
import os
import re
import signal
import sys
import time
from threading import Event, Thread
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from stemjax.apply import frame_sources
from stemjax.apply import watch as watching
from stemjax.apply.frame_sources import Folder
from stemjax.apply.inference import denoise_image
from stemjax.apply.live import LiveMovie, Pace
from stemjax.cli import denoise_watch, main
from stemjax.denoisers.space_time_gaussian import SpaceTimeGaussian
from stemjax.denoisers.wcvd import WCVD
from stemjax.models import catalogue, presets
from stemjax.networks import BlindEnsemble

MOVIE = np.random.default_rng(0).poisson(3.0, (7, 16, 20, 1)).astype(np.float32)
VIDEO = WCVD(BlindEnsemble(kernels=(3,), layers=2), low_pass=0.0)
FIVE = WCVD(BlindEnsemble(kernels=(3,), layers=2, frames=5), low_pass=0.0)
GAUSSIAN = SpaceTimeGaussian(sigma=1.0, sigma_time=0.5)  # two frames back and two ahead


@pytest.fixture(scope="module")
def variables():
    """Of each denoiser; positive weights keep every subnet alive, and NumPy draws them since compiling is slow."""
    rng, key = np.random.default_rng(1), jax.random.key(0)
    shapes = {denoiser: jax.eval_shape(denoiser.init, key, MOVIE[None]) for denoiser in (VIDEO, FIVE)}
    draw = lambda a: rng.uniform(0.01, 0.2, a.shape).astype(np.float32)
    return {denoiser: jax.tree.map(draw, shape) for denoiser, shape in shapes.items()} | {GAUSSIAN: {}}


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Short waits, and `tiny` as the name of a movie denoiser."""
    monkeypatch.setattr(frame_sources, "LOOK_S", 0.01)
    monkeypatch.setattr(frame_sources, "REST_S", 0.05)
    monkeypatch.setattr(frame_sources, "PATIENCE_S", 0.3)
    monkeypatch.delenv("STEMJAX_TRACEBACK", raising=False)


@pytest.fixture
def tiny(monkeypatch, variables):
    """A model of the command line that is a small WCVD; returns what it makes of the whole movie."""
    monkeypatch.setitem(catalogue.CATALOGUE, "tiny", catalogue.Entry("A small WCVD, ready", "-", learns=False))
    load = lambda name: (VIDEO, variables[VIDEO], {}) if name == "tiny" else presets.load_model(name)
    monkeypatch.setattr("stemjax.models.presets.load_model", load)
    return denoise_image(VIDEO, variables[VIDEO], MOVIE)


def watch(source, *options, model="tiny", idle=0.4) -> int:
    options = [*map(str, options), "--format", "npy", "--model", model, "--idle", str(idle)]
    return main(["denoise", "--watch", str(source), *options])


@pytest.fixture
def when(monkeypatch):
    """`when(words, action)`: run the action in a thread as soon as a line with these words is told."""
    acts, say = {}, denoise_watch._say

    def told(text):
        say(text)
        for words in [words for words in acts if words in text]:
            Thread(target=acts.pop(words)).start()

    monkeypatch.setattr(denoise_watch, "_say", told)
    return acts.__setitem__


def wait_for(path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


# ---------------------------------------------------------------------------------------------------- the window
@pytest.mark.parametrize("denoiser", [VIDEO, GAUSSIAN], ids=["wcvd", "gaussian"])
def test_a_causal_frame_is_the_last_of_the_movie_so_far_and_lookahead_gives_the_movie(variables, denoiser):
    own, before = variables[denoiser], denoiser.frames[0]
    whole = denoise_image(denoiser, own, MOVIE)
    live = LiveMovie(denoiser)
    steps = [live.push(own, frame) for frame in MOVIE]
    assert [len(step) for step in steps] == [0] * before + [before + 1] + [1] * (len(MOVIE) - before - 1)
    causal = np.stack([frame for step in steps for frame in step])
    so_far = denoise_image(denoiser, own, MOVIE[: before + 1])  # the first frames come out together
    np.testing.assert_allclose(causal[: before + 1], so_far, atol=1e-5)
    t = before + 1  # here and at the end both see the same
    np.testing.assert_allclose(causal[t], denoise_image(denoiser, own, MOVIE[: t + 1])[t], atol=1e-5)
    np.testing.assert_allclose(causal[-1], whole[-1], atol=1e-5)
    assert np.abs(causal[t] - whole[t]).max() > 1e-3 and live.finish(own) == []
    live = LiveMovie(denoiser, lookahead=True)
    patient = [frame for noisy in MOVIE for frame in live.push(own, noisy)]
    assert len(patient) == len(MOVIE) - before
    np.testing.assert_allclose([*patient, *live.finish(own)], whole, atol=1e-5)


@pytest.mark.parametrize("denoiser", [VIDEO, FIVE], ids=["three frames", "five frames"])
def test_a_blind_network_never_sees_the_newest_frames_pixel(variables, denoiser):
    def denoised(movie):
        live = LiveMovie(denoiser)
        return np.stack([frame for noisy in movie for frame in live.push(variables[denoiser], noisy)])

    before = denoised(MOVIE)
    for t in (0, 3, 6):
        changed = MOVIE.copy()
        changed[t, 4, 5] += 10
        difference = denoised(changed)[t] != before[t]
        assert not difference[4, 5] and difference.any()


def test_a_constant_frame_comes_back_and_too_few_frames_say_so(variables):
    live, own = LiveMovie(VIDEO), variables[VIDEO]
    assert live.push(own, MOVIE[0]) == []
    with pytest.raises(ValueError, match="only 1 frame: use wcid"):
        live.finish(own)
    first, second = [*live.push(own, MOVIE[0]), *live.push(own, np.full_like(MOVIE[0], 2))]  # begins anew
    assert (second == 2).all() and not np.array_equal(first, MOVIE[0])


def test_the_pace_counts_from_the_end_of_the_warm_up():
    pace = Pace(began=0.0)
    assert pace.report() == "0 frames"
    pace.pause(1.0, 10.0)
    pace.written([4.0], 10.5)  # was there before the program was
    pace.written([None, 11.0, 11.5, 11.9], 12.0)
    pace.busy_s = 0.5
    assert list(pace.latencies) == pytest.approx([0.5, 1.0, 0.5, 0.1])
    assert pace.report() == "5 frames in 2.0 s: 2.5 frames/s (busy 25% of the time), latency p50 500 ms, p99 985 ms"
    pace.pause(12.0, 20.0)  # frames of another size
    pace.written([19.0], 21.0)
    assert pace.report().startswith("6 frames in 3.0 s: 2 frames/s") and pace.latencies[-1] == 1


# ---------------------------------------------------------------------------------------------------- a folder
def test_a_folder_is_one_movie_in_the_order_of_names(tmp_path, tiny, when, capsys):
    """Frames 8 to 11 are there, out of order; a short movie comes, and one file that is no image."""
    for t in (3, 0, 2, 1):
        np.save(tmp_path / f"frame_{t + 8}.npy", MOVIE[t, ..., 0])

    def more():
        (tmp_path / "frame_12.tif").write_bytes(b"not an image")
        (tmp_path / "notes.txt").write_text("no frame at all")
        np.save(tmp_path / "frame_13.npy", MOVIE[4:, ..., 0])

    when("watching", more)
    assert watch(tmp_path, "--lookahead", idle=1) == 2
    results = [np.load(tmp_path / f"frame_{t}_denoised.npy") for t in (8, 9, 10, 11)]
    results = [*results, *np.load(tmp_path / "frame_13_denoised.npy")]
    np.testing.assert_allclose(results, tiny[..., 0], atol=1e-5)
    printed = capsys.readouterr()
    assert printed.out.split() == [str(tmp_path / f"frame_{t}_denoised.npy") for t in (8, 9, 10, 11, 13)]
    assert [line for line in printed.err.splitlines() if line.startswith("error")] == [
        line for line in printed.err.splitlines() if "frame_12.tif: not a readable TIFF" in line
    ]
    assert "4 there already" in printed.err and "compiled for frames of 16 x 20 pixels" in printed.err
    last = printed.err.splitlines()[-1]
    assert re.fullmatch(
        r"in all 7 frames in \S+ s: \S+ frames/s \(busy \d+% of the time\), latency p50 \d+ ms, p99 \d+ ms; 1 skipped",
        last,
    )
    # Started again, it finds everything done, and nothing new.
    assert watch(tmp_path, idle=0.2) == 2  # but for the file that is no image
    assert "in all 0 frames; 1 skipped" in capsys.readouterr().err


def test_frames_are_written_as_they_come_and_until_ends_it(tmp_path, tiny, variables, when):
    """The result of each frame is there before the next one comes, but for the first, which waits for one more."""
    seen, out = [], tmp_path / "out"

    def microscope():
        for t in range(4):
            np.save(tmp_path / ".hidden.npy", MOVIE[t, ..., 0])
            os.replace(tmp_path / ".hidden.npy", tmp_path / f"f{t}.npy")
            if 0 < t < 3:
                wait_for(out / f"f{t}_denoised.npy")
            seen.append(len(list(out.glob("*.npy"))))

    when("watching", microscope)
    assert watch(tmp_path, "--out", out, "--until", 4, idle=60) == 0
    assert seen == [0, 2, 3, 3]
    so_far = denoise_image(VIDEO, variables[VIDEO], MOVIE[:4])[3, ..., 0]
    np.testing.assert_allclose(np.load(out / "f3_denoised.npy"), so_far, atol=1e-5)


def test_a_half_written_file_is_not_read(tmp_path, monkeypatch, when, capsys):
    """It grows twice, with pauses shorter than the rest, and is whole only then; the one after it waits."""
    monkeypatch.setattr(frame_sources, "REST_S", 1.0)
    whole, path = io.BytesIO(), tmp_path / "a.npy"
    np.save(whole, MOVIE[0, ..., 0])
    parts = np.array_split(np.frombuffer(whole.getvalue(), np.uint8), 3)
    path.write_bytes(parts[0].tobytes())
    np.save(tmp_path / "b.npy", MOVIE[1, ..., 0])
    reads, read = [], np.lib.format.open_memmap
    monkeypatch.setattr(np.lib.format, "open_memmap", lambda p, **o: reads.append(os.stat(p).st_size) or read(p, **o))

    def go_on():
        for part in parts[1:]:
            with open(path, "ab") as stream:
                stream.write(part.tobytes())
            time.sleep(0.1)

    when("watching", go_on)
    assert watch(tmp_path, "--until", 2, model="gaussian", idle=60) == 0
    assert set(reads) == {len(whole.getvalue())}
    assert capsys.readouterr().out.split() == [str(tmp_path / f"{name}_denoised.npy") for name in "ab"]


def test_a_file_that_rests_too_early_is_tried_again_and_one_that_is_no_good_is_not(tmp_path, monkeypatch, when, capsys):
    monkeypatch.setattr(frame_sources, "PATIENCE_S", 60)
    np.save(tmp_path / "late.npy", MOVIE[0, ..., 0])
    content = (tmp_path / "late.npy").read_bytes()
    (tmp_path / "late.npy").write_bytes(content[:500])  # rests, and cannot be read
    refused, read = Event(), frame_sources.Folder.again
    monkeypatch.setattr(frame_sources.Folder, "again", lambda *a: refused.set() or read(*a))
    when("watching", lambda: refused.wait(60) and (tmp_path / "late.npy").write_bytes(content))
    np.save(tmp_path / "nan.npy", np.full((4, 4), np.nan))  # sound, so that waiting is no use
    assert watch(tmp_path, model="gaussian") == 2
    assert (tmp_path / "late_denoised.npy").exists() and not (tmp_path / "nan_denoised.npy").exists()
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1 and f"{tmp_path / 'nan.npy'}: 16 of 16 pixels" in errors[0]


def test_names_sort_by_the_numbers_in_them(tmp_path):
    for name in ("b1.npy", "a10.npy", "a9.npy", "b2.npy", "b2_denoised.npy", ".hidden.npy", "a.txt"):
        (tmp_path / name).touch()
    folder = Folder(tmp_path, None, tmp_path, "npy")
    time.sleep(0.06)
    assert [folder.next().path.name for _ in range(3)] == ["a9.npy", "a10.npy", "b1.npy"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_the_report(tmp_path, tiny, when, capsys, number, status):
    """What waits for a later frame is written first."""
    for t in range(2):
        np.save(tmp_path / f"{t}.npy", MOVIE[t, ..., 0])

    def stop():
        wait_for(tmp_path / "0_denoised.npy")
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    when("watching", stop)
    assert watch(tmp_path, "--lookahead", idle=60) == status and signal.getsignal(number) is before
    assert "in all 2 frames" in capsys.readouterr().err.splitlines()[-1] and (tmp_path / "1_denoised.npy").exists()


def test_reports_come_while_it_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(watching, "REPORT_S", 0.05)
    np.save(tmp_path / "0.npy", MOVIE[0, ..., 0])
    assert watch(tmp_path, model="gaussian") == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "frames/s" in line]
    assert len(told) == 2 and told[0].startswith("1 frame in") and told[1].startswith("in all 1 frame in")


# ---------------------------------------------------------------------------------------------------- standard input
def standard_input(monkeypatch, content: bytes):
    """A pipe, which gives less at a time than was asked for."""
    reading, writing = os.pipe()

    def write():
        with open(writing, "wb", buffering=0) as stream:
            for start in range(0, len(content), 999):
                stream.write(content[start : start + 999])

    Thread(target=write).start()
    stream = open(reading, "rb", buffering=0)  # noqa: SIM115  the thread that reads it outlives this function
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(raw=stream)))


def saved(*arrays) -> bytes:
    stream = io.BytesIO()
    for array in arrays:
        np.save(stream, array)
    return stream.getvalue()


def test_frames_from_standard_input(tmp_path, tiny, monkeypatch, capsys):
    """One array has NaN and one is a number alone: both are skipped, the others are one movie."""
    frames = [*MOVIE[:3, ..., 0], np.full((16, 20), np.nan), np.float32(3), MOVIE[3:, ..., 0].astype(np.uint8)]
    standard_input(monkeypatch, saved(*frames))
    assert watch("-", "--out", tmp_path, "--lookahead", idle=60) == 2
    results = [*(np.load(tmp_path / f"frame_00000{t}_denoised.npy") for t in range(3))]
    results = [*results, *np.load(tmp_path / "frame_000005_denoised.npy")]
    np.testing.assert_allclose(results, tiny[..., 0], atol=1e-5)
    error = capsys.readouterr().err
    assert "error: frame_000003: 320 of 320 pixels" in error and "error: frame_000004: a single number" in error
    assert "in all 7 frames" in error and "2 skipped" in error


@pytest.mark.parametrize("end", [b"\x93NUMPY rubbish", saved(MOVIE[1])[:-100], saved(np.array([{}]))])
def test_a_broken_stream_ends_it_with_one_line(tmp_path, monkeypatch, capsys, end):
    standard_input(monkeypatch, saved(MOVIE[0, ..., 0]) + end)
    assert watch("-", "--out", tmp_path, model="gaussian", idle=60) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "in all 1 frame" in lines[-2] and lines[-1].startswith("error: standard input: frame 1: not a sound .npy")


# ---------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--watch", "absent"], "absent: not a folder"),
        (["--watch", "-"], "add --out FOLDER"),
        (["--watch", ".", "a.npy"], "--watch takes no files and no training"),
        (["--watch", ".", "--train"], "--watch takes no files and no training"),
        (["--watch", ".", "--model", "gaussian", "--lookahead"], "leave out --lookahead"),
        (["--watch", ".", "--model", "space-time-gaussian", "--tile", "8"], "leave out --tile"),
        (["--watch", ".", "--out", "x.tif"], "--out x.tif must be a folder"),
        (["a.npy", "--idle", "3"], "belong to --watch FOLDER"),
    ],
)
def test_options_that_contradict_each_other(arguments, words, capsys):
    assert main(["denoise", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
