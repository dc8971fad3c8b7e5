"""What the tables of Noise2Void say alike: what was scored, who beats whom, how settings were chosen."""

from collections.abc import Iterable, Iterator

from experiments.n2v import BARS, NETWORK, ROWS
from stemjax.tables import rows as table_rows
from stemjax.tables import wording
from stemjax.tables.rows import Row
from stemjax.tables.wording import estimate

PAPER_PARAMETERS = 31_446_018


def by_conditions(records: list[dict], scores: dict, *names: str) -> dict[tuple, dict[str, Row]]:
    """Rows of the records that agree in some of their conditions, in the order of `ROWS`."""
    parts = table_rows.by_conditions(records, scores, *names)
    return {key: {name: part[name] for name in ROWS if name in part} for key, part in parts.items()}


def lead(network: Row, row: Row, channel: str) -> tuple[float, float | None, float | None]:
    """How much better the network is on the same frames [dB]."""
    return estimate(network.scores[f"{channel}_psnr_db"] - row.scores[f"{channel}_psnr_db"], row.units)


def verdicts_of(place: str, rows: dict[str, Row], channel: str) -> Iterator[str]:
    """Whether the network is better than every row, beyond the interval over movies, and no seed is below a bar.

    A trained network that does not beat the noisy frames and their mean has learnt nothing worth a figure.
    """
    network = rows[NETWORK]
    ahead = {name: lead(network, row, channel) for name, row in rows.items() if name != NETWORK}
    lowest = min(record["scores"][f"{channel}_psnr_db"] for record in network.records)
    under = [name for name in BARS if lowest <= rows[name].mean(f"{channel}_psnr_db")]
    behind = [name for name, (mean, low, _) in ahead.items() if (mean if low is None else low) <= 0]
    if under:
        yield f"{place}: fails the gate, its lowest seed ({lowest:.2f} dB) is not above {' and '.join(under)}."
    if behind:
        texts = (f"{name} ({_difference(ahead[name])})" for name in behind)
        yield f"{place}: {NETWORK} does not beat {'; '.join(texts)}."
    if not under and not behind:
        closest = min(ahead, key=lambda name: ahead[name][0])
        yield f"{place}: {NETWORK} beats every other row; {closest} comes nearest ({_difference(ahead[closest])})."


def _difference(ahead: tuple) -> str:
    return wording.printed_estimate(ahead, "+.2f") + " dB"


def caption(rows: dict[str, Row], noise: str = "in each channel") -> str:
    """What was scored, and by which contract."""
    record, row = rows[NETWORK].records[0], rows[NETWORK]
    return (
        f"{wording.data_set(record)}; unseen: {len(row.units)} frames of {len(set(row.units))} movies that no "
        f"method saw. Gaussian noise {noise}. Scores by protocol `{record['protocol']}`: each "
        "channel by itself, unclamped, its data range the maximum minus the minimum of the clean frame; NRMSE is the "
        "root mean square error over the root mean square of the clean frame. "
        + wording.means_over("movies", wording.too_few(row.units), " movies: no intervals.")
    )


def common_notes(rows: dict[str, Row], records: list[dict], tuned: bool = True) -> Iterable[str]:
    """How networks and filters came to their settings; with `tuned`, every choice of the filters."""
    record = rows[NETWORK].records[0]
    if record["parameters"] < PAPER_PARAMETERS:
        yield f"The network has {record['parameters']:,} parameters, the paper's {PAPER_PARAMETERS:,}."
    if crops := wording.crops_seen(records):
        yield (
            f"Every network saw {wording.span(crops)} crops; it is scored by its checkpoint of the least loss on "
            "held-out movies."
        )
    yield (
        "The paper's filters: Gaussian of 1 px; total variation of weight 1.0 (ADF) and 0.75 (BF), every noisy frame "
        "and channel scaled to [0, 1]. Tuned: the best PSNR on validation movies, by channel and level."
    )
    if tuned:
        chosen = {
            f"{r['conditions']['input_psnr_db']:g} dB, {r['method'].removesuffix(', tuned')} {field} "
            f"{wording.chosen(tried)}": None
            for r in sorted(records, key=lambda r: (r["conditions"]["input_psnr_db"], r["method"]))
            for field, tried in (r["tuning"] or {}).items()
        }
        if chosen:
            yield f"Chosen: {'; '.join(chosen)}."
        if any(tried["chosen"] == max(tried["values"]) for r in records for tried in (r["tuning"] or {}).values()):
            yield (
                "The wider a filter, the nearer its result to the Constant. Where the widest value tried was chosen, a "
                "wider one would be nearer still. Tuned, total variation runs until it has converged; at the paper's "
                "settings it stops before that, by scikit-image's rule."
            )


# ---------------------------------------------------------------------------------------------------- of ablations
CONTRACT = (
    "PSNR in dB and SSIM per frame and channel, data_range = maximum - minimum of the clean channel, nothing clamped; "
    "means over movies."
)
ONE_SEED = "One seed: another training may differ by more than these intervals over movies."


def ablation_caption(records: list[dict]) -> str:
    """What was scored, of ablations."""
    noise = records[0]["imaging"]["noise"]
    return (
        f"{wording.data_set(records[0])}; {records[0]['images']} frames of {len(records[0]['units'])} "
        f"movies of the {records[0]['split']} split, which no training saw, with Gaussian noise "
        f"at a PSNR of {noise['psnr_db']:g} dB. {CONTRACT}"
    )


def signed(mean, low, high) -> str:
    """A difference [dB] with its interval, if there is one; an empty text for none."""
    return wording.printed_estimate((mean, low, high), "+.2f")


def few_movies(row: Row) -> str:
    """Why there is no interval."""
    return f"{len(set(row.units))} movies: too few for intervals."
