"""What the papers print: their own figures, by paper, as `stemjax/published.json` has them."""

import json
from pathlib import Path

PAPERS = json.loads((Path(__file__).parents[1] / "published.json").read_text("utf-8"))


def authors(paper: str) -> str:
    """Who wrote a paper, as titles name it."""
    return PAPERS[paper]["citation"].partition(",")[0]
