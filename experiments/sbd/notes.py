"""What the tables of SBD say alike: what was scored, and what the authors' notebooks print."""

from experiments.sbd import PUBLISHED
from stemjax.tables import wording
from stemjax.tables.rows import Row


def of_the_notebooks() -> str:
    """What the authors' notebooks print for the networks that they released, beside the paper's figures."""
    printed = {row["model"]: row["psnr"] for row in PUBLISHED["table_3_1_tem"]}
    prints, unsupported = [], []
    for model, figures in reversed(PUBLISHED["notebooks"]["networks"].items()):
        patches = " to ".join(dict.fromkeys(f"{value:.2f}" for value in figures["psnr_patches"]))
        prints.append(
            f"{figures['psnr_whole']:.2f} dB on whole images and {patches} dB in patches for the {model} "
            f"(the paper: {printed[model]:.2f} dB)"
        )
        if max(figures["psnr_patches"]) < printed[model]:
            unsupported.append(f"{printed[model]:.2f} dB")
    return (
        f"The authors' own notebooks print for the networks that they released {'; '.join(prints)}. "
        f"They do not support the {' and '.join(unsupported)}."
    )


# ---------------------------------------------------------------------------------------------------- other conditions
def psnr_of(row: Row) -> tuple[float, float | None, float | None]:
    """PSNR [dB] and the ends of its interval; without ends where there are too few structures."""
    return wording.estimate(row.scores["psnr_db"], row.units)


def printed_psnr(row: Row) -> str:
    """PSNR [dB] with its interval where it has one."""
    return wording.printed_estimate(psnr_of(row), ".2f")


def caption(records: list[dict]) -> str:
    """What was tested on."""
    imaging = records[0]["imaging"]
    return (
        f"{wording.data_set(records[0])}; images of the {records[0]['split']} split, of "
        f"structures that no training saw; {imaging['counts']:g} electrons per pixel of vacuum. PSNR in dB, mean over "
        "structures."
    )
