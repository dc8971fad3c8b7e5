"""Figures 1, 3, 4 and 5 of the Noise2Void paper: what the denoised frames of gold on graphene are good for."""

from collections.abc import Iterable
from dataclasses import dataclass

from stemjax.tables.n2v import NETWORK, PUBLISHED, ROWS, SOURCE, by_conditions, caption, common_notes, estimate, printed
from stemjax.tables.rows import Row
from stemjax.tables.table import Grid, Table

AS_IN_PAPER = 16.4  # dB: the noise level whose rows have the published figures, of an experiment, beside them


@dataclass(frozen=True)
class Column:
    """A score of a grid.

    Parameters
    ----------
    name, heading, form : str
        In the records, in the table, and the format.
    published : str
        Where in `PUBLISHED` the paper's figures are.
    has_clean : bool
        Whether the records have that of the clean frames too, ``clean_<name>``.
    """

    name: str
    heading: str
    form: str = ".2f"
    published: str = ""
    has_clean: bool = False


def _table(
    figure: str, found: list[dict], scores: dict, parts: Iterable[tuple[str, list[Column]]], notes: Iterable[str]
) -> Table:
    """One grid for every part and noise level: rows are methods.

    Parameters
    ----------
    parts : sequence of (str, list of Column)
        Value of the condition ``frames``, "" where there is none, and the columns.
    """
    grids, data, first = [], {}, None
    for frames, columns in parts:
        chosen = [record for record in found if record["conditions"].get("frames", "") == frames]
        for (level,), rows in sorted(by_conditions(chosen, scores, "input_psnr_db").items(), reverse=True):
            first = first or rows
            figures = [_figures(row, level, frames, columns) for row in rows.values()]
            grids.append(_grid(level, frames, figures, columns))
            for figure_ in figures:
                data.setdefault((frames, level, figure_["method"]), {}).update(figure_)
    title = f"{figure} of {SOURCE}, regenerated at size {found[0]['size']}"
    every = (*notes, *common_notes(first, found))
    return Table(title, caption(first, noise="as stated"), tuple(grids), every, tuple(data.values()))


def _figures(row: Row, level: float, frames: str, columns: Iterable[Column]) -> dict:
    figures = {"input_psnr_db": level} | ({"frames": frames} if frames else {}) | {"method": row.method}
    for column in columns:
        for end, value in zip(("", "_low", "_high"), estimate(row.scores[column.name], row.units), strict=True):
            figures[f"{column.name}{end}"] = "" if value is None else round(value, 6)
        if column.published:
            published = PUBLISHED[column.published].get(ROWS[row.method]) if level == AS_IN_PAPER else None
            figures[f"published_{column.name}"] = "" if published is None else published
        if column.has_clean:
            figures[f"clean_{column.name}"] = round(row.mean(f"clean_{column.name}"), 6)
    return figures | {"records": " ".join(record["id"][:16] for record in row.records)}


def _grid(level: float, frames: str, figures: list[dict], columns: Iterable[Column]) -> Grid:
    """Methods with their scores; what is true of the clean frames comes first, as a row of its own."""
    headings, lines = [], [[figure["method"]] for figure in figures]
    clean = ["Clean"]
    for column in columns:
        headings.append(column.heading)
        clean.append(format(figures[0][f"clean_{column.name}"], column.form) if column.has_clean else "")
        for line, figure in zip(lines, figures, strict=True):
            line.append(printed(figure, column.name, column.form))
        if column.published and level == AS_IN_PAPER:
            headings.append("Published")
            clean.append("")
            for line, figure in zip(lines, figures, strict=True):
                line.append(str(figure[f"published_{column.name}"]))
    place = f"Noise of {level:g} dB" + f", {frames}" * bool(frames)
    return Grid((place, *headings), tuple(map(tuple, [clean] * any(clean[1:]) + lines)))


# ---------------------------------------------------------------------------------------------------- the figures
def n2v_figure_1(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Adatoms found: precision, recall and F1."""
    names = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
    columns = [Column(f"adatom_{name}", heading, ".3f") for name, heading in names.items()]
    columns.append(Column("adf_psnr_db", "ADF PSNR [dB]"))
    notes = (
        "Maxima of the Laplacian of Gaussian of ADF frames, matched one to one with the true positions within 1 Å; "
        "2 Å at the edges do not count. Every method has its own threshold, of the best F1 on validation movies.",
        "The filter is matched to an adatom, so it denoises too: what it finds in noisy frames is the bar.",
        f"The paper counts {PUBLISHED['figure_1_more_adatoms_percent']} % more adatoms after denoising a recording, "
        f"whose true ones it does not know. Here {NETWORK} finds of the true ones {_more_found(found, scores)}.",
    )
    return _table("Figure 1b", found, scores, [("", columns)], notes)


def _more_found(found: list[dict], scores: dict) -> str:
    """How many more adatoms than in the noisy frames the network finds, by noise level, in words."""
    levels = sorted(by_conditions(found, scores, "input_psnr_db").items(), reverse=True)
    recalls = {level: [rows[name].mean("adatom_recall") for name in (NETWORK, "Noisy")] for (level,), rows in levels}
    return " and ".join(
        f"{100 * (after / before - 1):+.0f} % at {level:g} dB" if before else f"more than none at {level:g} dB"
        for level, (after, before) in recalls.items()
    )


def n2v_figure_3(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Profiles of the lattice: correlation and amplitude."""
    columns = [
        Column(f"{channel}_profile_{name}", f"{channel.upper()} {heading}", ".3f")
        for channel in ("adf", "bf")
        for name, heading in (("correlation", "correlation"), ("amplitude", "amplitude ratio"))
    ]
    notes = (
        "One profile per frame along [10-10], 1 px wide and 17 Å long, clear of adatoms, where the clean lattice is "
        "strongest. Correlation with the clean profile, 0 for a flat one; ratio of its standard deviation to the "
        "clean one's. Both of intensities; the pictures show the square root of ADF.",
    )
    return _table("Figure 3", found, scores, [("", columns)], notes)


def n2v_figure_4(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Signal-to-noise ratio of adatoms, and the dip between two."""
    ratio = Column("adf_adatom_snr", "ADF adatom SNR", ".1f", "snr_adatom_adf", True)
    dip = Column("adf_dip_percent", "Dip [%]", ".0f", "dip_between_adatoms_0p34nm_percent", True)
    error, psnr = (
        Column("adf_dip_error_percent", "Mean |dip - clean dip| [%]", ".0f"),
        Column("adf_psnr_db", "ADF PSNR [dB]"),
    )
    weaker = Column("adf_weaker_height", "Height of the weaker")
    parts = [("unseen", [ratio, psnr]), ("planted pairs", [dip, error, weaker, psnr])]
    pairs = [record for record in found if record["conditions"]["frames"] == "planted pairs"]
    notes = (
        "SNR: an adatom's height above its background over the standard deviation of that background, which holds the "
        "lattice too; a method that wipes out noise and lattice alike, or makes adatoms sharper than they are, scores "
        "above the clean frame.",
        f"Dip: of pairs 3.4 Å apart, four in each of {pairs[0]['images']} frames that hold nothing else. 100 % is the "
        "background between the two; noise digs deeper, of which 200 % count, and a pair that does not rise above its "
        "background has 0. What counts is how near a dip is to the clean one of the same pair, and whether both "
        "adatoms are there: the height of the one that lost more, over its height in the clean frame.",
        "Published figures are of recordings, whose true dip is not known, and for which the paper gives no formulas.",
    )
    return _table("Figures 4 and S1", found, scores, parts, notes)


def n2v_figure_5(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Lattice spots in the spectrum, and the six-fold anisotropy of the transfer."""
    published = {"bf_spot_snr_1120": "fft_bf_11_20_spot_snr"}
    spots = [
        Column(
            name := f"{channel}_spot_snr_{family}",
            f"{channel.upper()} SNR of ({family[:2]}-{family[2:]})",
            ".1f",
            published.get(name, ""),
            True,
        )
        for channel in ("bf", "adf")
        for family in ("1120", "1010")
    ]
    headings = {"transfer_at": "transfer at spots", "transfer_between": "between", "anisotropy": "anisotropy"}
    passed = [
        Column(f"{channel}_{name}", f"{channel.upper()} {heading}")
        for channel in ("bf", "adf")
        for name, heading in headings.items()
    ]
    notes = (
        "SNR: the mean magnitude at the six spots over that of the ring around them, less one, over the ring's "
        "scatter; noise alone has 0 ± 1. Whatever empties the ring scores high, an invented lattice too.",
        "Transfer: the part of the clean spectrum that is passed on, at the (11-20) spots and half-way between them on "
        "the same ring, all frames of a movie at once. Anisotropy: 1 - between / at, each movie by itself; where less "
        "than 0.01 is passed on it is a ratio of noise.",
        "Published figures are of recordings; the paper does not say how it measures the ratio.",
    )
    return _table("Figure 5", found, scores, [("", spots), ("", passed)], notes)
