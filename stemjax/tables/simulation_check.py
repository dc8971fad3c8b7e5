"""How near the rendered frames of gold on graphene come to direct multislice."""

from stemjax.tables.table import Grid, Table


def n2v_simulation_check(found: list[dict], scores: dict[str, list[dict]]) -> Table:
    """One row per way to render and per image."""
    order = sorted(found, key=lambda record: -record["scores"]["psnr_db"])
    names = {"adf_psnr_db": "ADF PSNR [dB]", "bf_psnr_db": "BF PSNR [dB]"}
    data = tuple(
        {"contrast": record["method"], "image": row["image"]}
        | {name: row[name] for name in names}
        | {"record": record["id"][:16]}
        for record in order
        for row in scores[record["id"]]
    )
    rows = tuple((row["contrast"], row["image"], *(f"{row[name]:.1f}" for name in names)) for row in data)
    return Table(
        f"Rendered frames of Au on graphene against direct multislice, size {found[0]['size']}",
        "Blurred frames without noise; the data range is that of the direct image. The movies are rendered "
        "bilinearly between 9 sites.",
        (Grid(("Contrast of an adatom", "Image", *names.values()), rows),),
        (
            "Direct: a probe at every position through a model that holds these adatoms (abTEM), of another size than "
            "the library's, and with abTEM's own detectors.",
        ),
        data,
    )
