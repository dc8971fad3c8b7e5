"""Cards of the benchmark's data sets: one to read, and a Croissant description for programs.

results/cards/NAME-SIZE.md, NAME-SIZE.croissant.json

Both are functions of the data set's manifest and the benchmark's definition. The digests of files are those of the copy
that the card was made from: two machines differ in last bits, and the recipe hash is what names a data set.

Reference: Croissant format specification 1.0, MLCommons, http://mlcommons.org/croissant/1.0
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from stemjax.data.datasets import DataSet, file_digest, open_data_set
from stemjax.data.kinds import KINDS
from stemjax.files import write_whole
from stemjax.leaderboard.benchmark import Benchmark, Track

FOLDER = "cards"
LICENCE = "https://spdx.org/licenses/BSD-3-Clause.html"
CREATOR = "the stemjax developers"
LIMITS = (
    "Simulated: no contamination, no beam damage, no inelastic scattering; a perfect detector but for stated noise.",
    "Noise is not stored. It is drawn from the seeds of the benchmark, the same pixels for every method.",
    "No structure (or movie) stands in two splits; images of one are alike, so intervals are over structures.",
    "Of use to compare methods of denoising. A score here is no promise for a recording of another microscope.",
)


def find_data_sets(
    definition: Benchmark, root: str | Path, records: Iterable[dict] = ()
) -> tuple[dict[str, DataSet], list[str]]:
    """The data sets of the benchmark, and further ones that current `records` name, below a folder.

    Returns
    -------
    (dict, list of str)
        NAME-SIZE -> data set; and what is missing, one line each.
    """
    wanted = {}
    for track in definition.tracks:
        for size, facts in track.sizes.items():
            for name, recipe_hash in facts["data"].items():
                if recipe_hash is not None:
                    wanted.setdefault((name, size), recipe_hash)
    for record in records:  # those without a folder need no card: nothing of them is stored
        if (name := record["data_set"]["name"]) in KINDS and KINDS[name].simulate:
            wanted.setdefault((name, record["size"]), record["data_set"]["recipe_hash"])
    present, missing = {}, []
    for (name, size), recipe_hash in wanted.items():
        folder = Path(root) / f"{name}-{size}"
        if (folder / "manifest.json").is_file():
            present[folder.name] = open_data_set(folder, recipe_hash)
            continue
        command = f"stemjax simulate {KINDS[name].simulate} --size {size} --out {folder}"
        missing += [f"{folder.name}: not here; make it: {command}"]
    return present, missing


def write_cards(results: str | Path, definition: Benchmark, data_sets: dict[str, DataSet]) -> list[Path]:
    """Write both cards of every data set; returns the files."""
    folder, written = Path(results) / FOLDER, []
    folder.mkdir(parents=True, exist_ok=True)
    for label, data in data_sets.items():
        tracks = tracks_with(definition, data)
        croissant = json.dumps(croissant_of(label, data, definition), indent=1, ensure_ascii=False) + "\n"
        for ending, text in ((".md", card_of(label, data, tracks)), (".croissant.json", croissant)):
            written.append(folder / f"{label}{ending}")
            write_whole(written[-1], lambda stream, text=text: stream.write(text.encode()))
    return written


def tracks_with(definition: Benchmark, data: DataSet) -> list[Track]:
    """The tracks that a data set belongs to."""
    hashes = {t.id: [facts["data"].get(data.name) for facts in t.sizes.values()] for t in definition.tracks}
    return [track for track in definition.tracks if data.recipe_hash in hashes[track.id]]


# ---------------------------------------------------------------------------------------------------- to read
def card_of(label: str, data: DataSet, tracks: Sequence[Track]) -> str:
    """The card as Markdown."""
    manifest, size = data.manifest, label.rpartition("-")[2]
    splits = Counter(item["split"] for item in data.items)
    rows = [f"| {split} | {len(units)} | {splits[split]} |" for split, units in sorted(manifest["splits"].items())]
    total = sum(entry["bytes"] for entry in manifest["files"].values())
    facts = [
        f"Recipe hash: `{data.recipe_hash}`",
        f"Make it: `stemjax simulate {KINDS[data.name].simulate} --size {size} --out data/{label}`; "
        f"check it: `stemjax verify data/{label}`",
        f"Files: {len(manifest['files'])}, {total / 1e6:.1f} MB, with `manifest.json`",
        f"Made with: {_pairs(manifest['recipe'].get('software', {}))}",
        f"Units: {_pairs(manifest['units'])}",
        f"Axes: {_pairs(manifest['axes'])}",
        "Licence: BSD-3-Clause, as stemjax; cite as in `CITATION.cff`",
        f"Tracks: {', '.join(track.title for track in tracks) or 'none'}",
    ]
    if frame := manifest.get("frame"):
        facts.insert(3, f"Frames: {frame['pixels']}² px of {frame['sampling_angstrom']:g} Å")
    truth = "`truth.npy` holds the true positions: item, frame, x and y in Å, species, number of atoms, surface or not."
    lines = [
        f"# {label}",
        "",
        KINDS[data.name].about,
        "",
        *(f"- {fact}" for fact in facts),
        "",
        "| split | structures or movies | items |",
        "| --- | ---: | ---: |",
        *rows,
        "",
        "What an item has: " + ", ".join(f"`{name}`" for name in data.items[0]) + ".",
        *[truth] * ("truth.npy" in manifest["files"]),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in LIMITS),
        "",
        f"For programs: `{label}.croissant.json`. Made by `stemjax leaderboard cards` from the manifest.",
    ]
    return "\n".join(lines) + "\n"


def _pairs(plain: dict) -> str:
    return "; ".join(f"{name} {value}" for name, value in plain.items()) or "not stated"


# ---------------------------------------------------------------------------------------------------- for programs
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TYPES = {str: "sc:Text", float: "sc:Float", int: "sc:Integer", bool: "sc:Boolean"}


def croissant_of(label: str, data: DataSet, definition: Benchmark) -> dict:
    """The Croissant description: every file, and the items of the manifest as records."""
    files = [_file("manifest.json", "application/json", file_digest(data.folder / "manifest.json"))]
    files += [_file(name, "application/x-npy", entry) for name, entry in sorted(data.manifest["files"].items())]
    plain = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": label,
        "description": f"{KINDS[data.name].about} Recipe {data.recipe_hash}.",
        "version": f"{definition.version}.0.0",
        "license": LICENCE,
        "creator": {"@type": "sc:Organization", "name": CREATOR},
        "citeAs": "stemjax: benchmarks of denoising for atomic-resolution electron microscopy, in JAX (CITATION.cff)",
        "keywords": ["electron microscopy", "denoising", "simulation"],
        "isLiveDataset": False,
        "rai:dataCollection": "Simulated by stemjax; nothing was recorded with a microscope.",
        "rai:dataLimitations": " ".join(LIMITS),
        "distribution": files,
        "recordSet": [_items(data)],
    }
    return plain | ({"datePublished": definition.published} if definition.published else {})


def _file(name: str, kind: str, entry: dict) -> dict:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{entry['bytes']} B",
        "encodingFormat": kind,
        "sha256": entry["sha256"],
    }


def _items(data: DataSet) -> dict:
    """The items as a record set: those of their properties that are a text or a number."""
    names = [name for name, value in data.items[0].items() if type(value) in TYPES]
    return {
        "@type": "cr:RecordSet",
        "@id": "items",
        "name": "items",
        "description": "One record per exit wave or movie: its structure, conditions and split.",
        "key": {"@id": "items/id"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"items/{name}",
                "name": f"items/{name}",
                "description": name.replace("_", " "),
                "dataType": _type(data, name),
                "source": {"fileObject": {"@id": "manifest.json"}, "extract": {"jsonPath": f"$.items[*].{name}"}},
            }
            for name in names
        ],
    }


def _type(data: DataSet, name: str) -> str:
    """Of a property of all items; whole numbers among others are real."""
    kinds = {type(item[name]) for item in data.items}
    return TYPES[kinds.pop() if len(kinds) == 1 else float]
