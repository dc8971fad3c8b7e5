"""The papers' own figures, as rows of another kind: of other images, never ranked among ours."""

from dataclasses import dataclass

from stemjax.tables.published import PAPERS, authors

_SBD, _N2V = authors("sbd"), authors("n2v_stem")
_METHODS = {"input": "Noisy", "gaussian": "Gaussian filter", "tv": "Total variation", "n2v": "Noise2Void"}


@dataclass(frozen=True)
class Published:
    """A figure that a paper prints, in the unit of the track's score."""

    method: str
    value: float
    parameters: str
    source: str


def published_rows(name: str) -> list[Published]:
    """The rows of one name in the benchmark's definition; none for the empty name.

    Raises
    ------
    ValueError
        If no such figures are known.
    """
    if not name:
        return []
    if name == "sbd_table_5_1":
        rows = [Published(row["method"], row["psnr"], "", f"{_SBD}, Table 5.1") for row in PAPERS["sbd"]["table_5_1"]]
        networks = {row["model"]: row for row in PAPERS["sbd"]["table_3_1_tem"]}
        unet = networks["UNet, 4 scales, 64 base channels"]
        return [*rows, Published(f"SBD + {unet['model']}", unet["psnr"], unet["parameters"], f"{_SBD}, Table 3.1")]
    if name == "sbd_figure_5_4":
        median = PAPERS["sbd"]["figure_5_4"]["surface_median"]["f1"]
        source = f"{_SBD}, Figure 5.4: median over images, against the columns of the clean image"
        return [Published("SBD + UNet", median, "", source)]
    if name.startswith("n2v_table_s1_"):
        rows = PAPERS["n2v_stem"]["table_s1"][name.removeprefix("n2v_table_s1_")]
        return [Published(_METHODS[key], row["psnr"], "", f"{_N2V}, Table S1") for key, row in rows.items()]
    if name.startswith("n2v_figure_8_adf_"):
        level = float(name.removeprefix("n2v_figure_8_adf_"))
        points = [point for point in PAPERS["n2v_stem"]["figure_8_adf"] if point["input_psnr"] == level]
        return [Published(f"Noise2Void at {level:g} dB", p["n2v_psnr"], "31.4M", f"{_N2V}, Figure 8") for p in points]
    raise ValueError(f"no published figures named {name!r}")
