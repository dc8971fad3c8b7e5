"""Where README and docstrings quote a table, its figures are filled in, and nothing else is touched."""

import pytest

from stemjax.tables.mentions import in_docstring, in_readme
from stemjax.tables.table import Grid, Table

GRIDS = (
    Grid(
        ("ADF", "PSNR [dB]", "SSIM"), (("Noise2Void", "30.64", "0.9"), ("Noise2Void, dual", "31.50 [31, 32]", "0.95"))
    ),
    Grid(("BF", "PSNR [dB]"), (("Noise2Void", "20.00"), ("Twice", "1"), ("Twice", "2"))),
)
TABLE = Table("A table", "", GRIDS, (), ())


def docstring(*quoted: str) -> str:
    return (
        '"""A figure.\n\nWhat it is.\n\n' + "".join(f"{one}\n\n" for one in quoted) + 'Reference: none.\n"""\n\nA = 1\n'
    )


def test_a_docstring_has_the_figures_of_its_rows():
    old = docstring("Expect at size `cpu` (ADF, PSNR [dB]): Noise2Void: 1.2 [1.1, 1.3]; Noise2Void, dual.")
    new = docstring("Expect at size `cpu` (ADF, PSNR [dB]): Noise2Void: 30.64; Noise2Void, dual: 31.50 [31, 32].")
    assert in_docstring(old, "cpu", TABLE) == new == in_docstring(new, "cpu", TABLE)


def test_each_paragraph_has_its_own_grid_and_size():
    gpu = "Expect at size `gpu` (ADF, SSIM): Noise2Void: 7."
    old = docstring("Expect at size `cpu` (BF, PSNR [dB]): Noise2Void.", gpu)
    assert in_docstring(old, "cpu", TABLE) == docstring("Expect at size `cpu` (BF, PSNR [dB]): Noise2Void: 20.00.", gpu)


def test_lines_are_broken_at_120_characters_and_read_again():
    rows = "; ".join(["Noise2Void", "Noise2Void, dual"] * 4)
    text = in_docstring(docstring(f"Expect at size `cpu` (ADF, PSNR [dB]): {rows}."), "cpu", TABLE)
    assert max(map(len, text.splitlines())) <= 120 and text.count("31.50 [31, 32]") == 4
    assert in_docstring(text, "cpu", TABLE) == text


@pytest.mark.parametrize(
    "quoted, complaint",
    [
        ("(ADF, NRMSE): Noise2Void", "no column 'ADF, NRMSE'"),
        ("(ADF, SSIM): Noise2Self: 1", "names 0 rows"),
        ("(BF, PSNR [dB]): Twice", "names 2 rows"),
    ],
)
def test_what_the_table_has_not_is_refused(quoted, complaint):
    with pytest.raises(ValueError, match=complaint.replace("[", r"\[")):
        in_docstring(docstring(f"Expect at size `cpu` {quoted}."), "cpu", TABLE)


def test_a_row_may_be_named_by_its_first_two_cells():
    grid = Grid(("Network", "Pixel", "90 %"), (("UNet", "bulk", "75"), ("UNet", "vacuum", "40")))
    filled = in_docstring(
        docstring("Expect at size `cpu` (Network, 90 %): UNet, vacuum."), "cpu", Table("", "", (grid,), (), ())
    )
    assert filled == docstring("Expect at size `cpu` (Network, 90 %): UNet, vacuum: 40.")


def test_the_readme_has_the_columns_that_it_names():
    text = "Before\n<!-- table t.cpu: ADF, SSIM -->\nold\n<!-- end of table -->\nafter\n"
    filled = in_readme(text, "t.cpu", TABLE)
    assert "0.95" in filled and "30.64" not in filled and "old" not in filled and filled.endswith("-->\nafter\n")
    assert in_readme(text, "other.cpu", TABLE) == text
