"""SBD, Figure 5.3: an atom too many or too few, which PSNR and SSIM do not see and the atom metrics do.

    stemjax experiment run sbd_figure_5_3 --size cpu

Clean images of a particle with and without a column of a single atom at its surface, at 11 sites, under Gaussian noise
of standard deviation 2/255; no denoiser has a part in it. At 8 of the 11 sites the added atom covers a column beneath
it, which the alpha shape then takes for bulk: precision, recall, F1 and Jaccard are then those that the paper prints.

Expect at size `cpu` (Score, All atoms preserved): PSNR [dB]: 42.11; F1: 1.000.

Expect at size `cpu` (Score, One extra atom): PSNR [dB]: 42.02; F1: 0.943.

Expect at size `cpu` (Score, One missing atom): PSNR [dB]: 42.02; F1: 0.943.

Reference: Mohan et al., arXiv:2010.12970, Figure 5.3.
"""

from dataclasses import replace

import numpy as np

from experiments.recorder import Recorder
from experiments.sbd import PUBLISHED, SOURCE
from experiments.sbd.surface_atoms import DEFOCI, Panel, Reference, draw_columns, surface_images
from experiments.sbd.surface_tables import HEADINGS
from experiments.workspace import Workspace
from stemjax.apply.evaluate import ImageSet
from stemjax.data.micrographs import VACUUM_COUNTS
from stemjax.metrics import atoms, bootstrap
from stemjax.metrics.atoms import RATIOS
from stemjax.metrics.image import score
from stemjax.physics.noise import FixedGaussian
from stemjax.tables import wording
from stemjax.tables.rows import Row, gather
from stemjax.tables.table import Grid, Table
from stemjax.training import recipes

TIMES = {"smoke": "1 min", "cpu": "1 min on 2 cores", "gpu": "not measured"}
NOISE = FixedGaussian(2 / 255)
SHOWN = "top3_plus1"


def run(size: str, workspace: Workspace) -> None:
    """Score the three cases; draw the picture."""
    data = workspace.pt_ceo2_surface(size)
    imaging = replace(recipes.SBD_TRAINING[size]["imaging"], counts=VACUUM_COUNTS, noise=NOISE)
    every = surface_images(data, imaging, DEFOCI[:2] if size == "smoke" else DEFOCI)
    more, bare = with_and_without(every)
    reference = Reference.of(data, more)
    clean_bare = reference.find(bare.clean, reference.finder.threshold_clean)
    found_bare, found_more = (reference.find(images.noisy) for images in (bare, more))
    cases = {  # label -> what it is compared with, its columns; what is shown, its columns
        "All atoms preserved": (bare, clean_bare, bare, found_bare),
        "One extra atom": (bare, clean_bare, more, found_more),
        "One missing atom": (more, reference.clean, bare, found_bare),
    }
    number = next(index for index, name in enumerate(more.name) if SHOWN in name)
    panels = []
    for case, (truth, clean, test, columns) in cases.items():
        scores = [atoms.compare(*pair, reference.finder.tolerance) for pair in zip(clean, columns, strict=True)]
        Recorder(size, workspace, data, truth).add(case, None, test.noisy, extra=scores)
        image, view = test.noisy[number, ..., 0], reference.views[number]
        of_image = score(truth.clean[number, ..., 0], image, "sbd") | scores[number]
        note = "PSNR {psnr_db:.2f} dB, SSIM {ssim:.3f}\nsurface F1 {surface_f1:.3f}, Jaccard {surface_jaccard:.3f}"
        panels.append(Panel(case, note.format(**of_image), image, view, columns[number], clean[number]))
    limits = tuple(np.percentile(more.clean[number], [0.1, 99.9]))
    draw_columns(panels, workspace.picture(size), limits)


def with_and_without(every: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Images of the structures with an added atom, and of the particle without it, with the same noise.

    The particle without any defect is the median, pixel by pixel, of all structures of the surface set at that defocus:
    all but a few agree at every pixel.
    """
    chosen = np.array(["plus1" in name for name in every.name])
    images = every.images.part(chosen)
    names = [name for name, is_chosen in zip(every.name, chosen, strict=True) if is_chosen]
    more = ImageSet(every.clean[chosen], every.noisy[chosen], images, names, every.imaging)
    medians = {c10: np.median(every.clean[every.images.defocus == c10], axis=0) for c10 in set(images.defocus.tolist())}
    perfect = np.stack([medians[c10] for c10 in images.defocus.tolist()])
    return more, replace(more, clean=perfect, noisy=more.noisy - more.clean + perfect)


# ---------------------------------------------------------------------------------------------------- the table
CASES = ("All atoms preserved", "One extra atom", "One missing atom")


def table(records: list[dict], scores: dict[str, list[dict]]) -> Table:
    """Figure 5.3: PSNR, SSIM and atom metrics where an atom was added or removed; by site below."""
    rows, published = gather(records, scores), {row["image"].capitalize(): row for row in PUBLISHED["figure_5_3"]}
    names = ["psnr_db", "ssim", *(f"surface_{ratio}" for ratio in RATIOS)]
    headings = {"psnr_db": "PSNR [dB]", "ssim": "SSIM"} | {f"surface_{name}": text for name, text in HEADINGS.items()}
    columns = ["Score"] + [f"{case}{kind}" for case in CASES for kind in (", published", "", ", difference")]
    data, lines = [], {name: [headings[name]] for name in names}
    for case in CASES:
        paper = {name: published[case][name.removeprefix("surface_").removesuffix("_db")] for name in names}
        ours = {name: round(rows[case].mean(name), 6) for name in rows[case].scores}
        for name, line in lines.items():
            form = ".2f" if name == "psnr_db" else ".3f"
            line += [format(paper[name], form), format(ours[name], form), f"{ours[name] - paper[name]:+{form}}"]
        differences = {f"difference_{name}": round(ours[name] - paper[name], 6) for name in names}
        printed_ = {f"published_{name}": value for name, value in paper.items()}
        data.append(
            {"image": case} | printed_ | ours | differences | {"records": wording.record_ids(rows[case].records)}
        )
    by_site = {case: _by_site(rows[case]) for case in CASES[1:]}
    sites = list(by_site[CASES[1]])
    grid = Grid(
        ("Site of the atom", *(f"{heading}, {case[4:]}" for case in by_site for heading in HEADINGS.values())),
        tuple((site, *(f"{value:.3f}" for case in by_site.values() for value in case[site])) for site in sites),
    )
    exact = sum(
        all(
            np.allclose(by_site[case][site], [published[case][ratio] for ratio in RATIOS], rtol=0, atol=5e-4)
            for case in by_site
        )
        for site in sites
    )
    change = {name: _difference(rows[CASES[1]], rows[CASES[0]], name) for name in names[:3]}
    first = records[0]
    caption = (
        f"{first['images']} clean images, an atom added at {len(sites)} site(s), with Gaussian noise of standard "
        f"deviation {first['imaging']['noise']['sigma']:.4f} at a vacuum of {first['imaging']['counts']:g}; pixels of "
        f"{first['imaging']['sampling']:g} Å. Atom metrics of the surface columns, as the paper defines them."
    )
    notes = (
        f"An atom more changes PSNR by {change['psnr_db']} dB and SSIM by {change['ssim']}, but surface precision by "
        f"{change['surface_precision']} (mean over sites).",
        f"At {exact} of {len(sites)} sites precision, recall, F1 and Jaccard are those that the paper prints, for the "
        "extra and for the missing atom alike: an atom on top covers a column, which the alpha shape then takes for "
        "bulk, so that one surface column is too many and one is missing (14 of 15 shared). At the other sites nothing "
        "is covered. So the printed figures agree with one change alone.",
        "An image with one missing atom is the particle without the added atom, compared with the one that has it.",
        "Difference: ours minus the paper's figures, which are of one image each, of another simulation.",
    )
    printed = Grid(tuple(columns), tuple(map(tuple, lines.values())))
    return Table(wording.title("Figure 5.3", SOURCE, records), caption, (printed, grid), notes, tuple(data))


def _by_site(row: Row) -> dict[str, list[float]]:
    """Site of the added atom -> surface precision, recall, F1 and Jaccard."""
    means = [bootstrap.unit_means(row.scores[f"surface_{ratio}"], row.units) for ratio in RATIOS]
    return {unit.split("-")[1].removesuffix("_plus1"): [mean[unit] for mean in means] for unit in means[0]}


def _difference(one: Row, other: Row, name: str) -> str:
    estimate = bootstrap.difference(one.scores[name], other.scores[name], one.units)
    if estimate is None:
        return f"{one.mean(name) - other.mean(name):+.4f}"
    return "{:+.4f} [{:+.4f}, {:+.4f}]".format(*estimate)
