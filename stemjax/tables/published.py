"""What the papers print: their own figures, by paper, as `published.json` has them."""

import json
from pathlib import Path

PAPERS = json.loads((Path(__file__).with_name("published.json")).read_text("utf-8"))


def authors(paper: str) -> str:
    """Who wrote a paper, as titles name it."""
    return PAPERS[paper]["citation"].partition(",")[0]
