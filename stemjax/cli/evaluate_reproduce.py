"""`stemjax evaluate --reproduce`: do again what a record says, and compare."""

import contextlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path


def reproduce_record(name: str, data: Path, runs: Path, results: Path, train: bool) -> int:
    """Print a record's figures beside those found now; returns 1 if they do not agree.

    Raises
    ------
    ValueError
        If there is no such record, or nothing could reproduce it.
    OSError
        If the data set or the trained network is not here; the message has the command that makes it.
    """
    if not re.fullmatch("[0-9a-f]{6,64}", name):
        raise ValueError(f"{name!r}: not the id of a record: give its first 6 or more hexadecimal digits")
    from stemjax import records
    from stemjax.records import rebuild
    from stemjax.records.reproduce import NEAR, reproduce

    record = records.comparable(find_record(records.load(results / "records"), name, results))
    if records.is_submission(record):
        raise ValueError(f"record {record['id'][:16]} is a submission: its predictions are with {_authors(record)}")
    print(_what(record))
    named = record["data_set"]
    data_set = rebuild.find_data(named["name"], named["recipe_hash"], record["size"], data)
    if record["run"]:
        _have_run(record, data, runs, train)
    (scores,) = records.load_scores(results / "records", [record]).values()
    found = reproduce(record, scores, data_set, runs)
    if found.weights is not None:
        print(
            "weights: those of the record, bit for bit" if found.weights else "weights: of another training than then"
        )
    for one in found.agreements:
        ends = "no interval" if one.low is None else f"[{one.low:.4f}, {one.high:.4f}]"
        verdict = "the same" if one.is_near else "agrees" if one.agrees else "DIFFERS"
        print(f"{one.score:<24} {one.recorded:9.4f} {ends}, now {one.found:9.4f}: {verdict}; {_largest(one)}")
    if found.left_out:
        print(f"not taken again, its experiment alone does: {', '.join(found.left_out)}")
    agreed, near = sum(one.agrees for one in found.agreements), sum(one.is_near for one in found.agreements)
    verdict = "reproduced" if found.agrees else "NOT reproduced"
    print(
        f"{verdict}: {agreed} of {len(found.agreements)} scores agree within the record's 95 % interval, "
        f"{near} but for last digits ({NEAR:.1%})"
    )
    return 0 if found.agrees else 1


def find_record(every: list[dict], name: str, results: Path) -> dict:
    """The record whose id begins so.

    Raises
    ------
    ValueError
        If there is none, or more than one.
    """
    found = [record for record in every if record["id"].startswith(name)]
    if len(found) != 1:
        raise ValueError(f"{results}: {len(found) or 'no'} records whose id begins with {name}")
    return found[0]


def _what(record: dict) -> str:
    from stemjax.records import code_version

    then, now = record["code"], code_version()
    known = now["commit"] is not None and not now["dirty"]
    same = known and (then["commit"] == now["commit"] or then.get("trees", 0) == now.get("trees"))
    conditions = "".join(f", {name} = {value}" for name, value in record["conditions"].items())
    seed = "" if record["seed"] is None else f", training seed {record['seed']}"
    made = f"{then['version']}, commit {_whereabouts(then)}{', changed since' * bool(then['dirty'])}"
    here = "the same" if same else f"{now['version']}, commit {_short(now['commit'])}"
    here += ", with uncommitted changes" * bool(now["dirty"])
    table = f"{record['experiment']} at size {record['size']}{conditions}"
    return (
        f"record {record['id'][:16]}: {record['method']}{seed}, {table}\n"
        f"{record['images']} images of {len(record['units'])} structures or movies, {record['data_set']['name']}\n"
        f"recorded by stemjax {made}; here: {here}"
    )


def _short(commit: str | None) -> str:
    """A commit in twelve digits, after the version that came before it, if any."""
    version, mark, digits = (commit or "unknown").rpartition("-g")
    return f"{version}{mark}{digits[:12]}"


def _whereabouts(code: dict) -> str:
    """The commit of a record, and where its code is if the history has another name for it, or none."""
    from stemjax.records import code_version, commit_of
    from stemjax.records.code import is_cut

    named = _short(code["commit"])
    if code["commit"] is None or code_version()["commit"] is None:
        return named
    if found := commit_of(code):
        return named if found[:12] in named or "trees" not in code else f"{named}, in this history {found[:12]}"
    return f"{named}, which this history does not have" + " (it is cut: git fetch --unshallow --tags)" * is_cut()


def _largest(one) -> str:
    return "every image alike" if not one.largest else f"images differ by up to {one.largest:.2g} ({one.image})"


def _authors(record: dict) -> str:
    return record["denoiser"].get("authors", "its authors")


# ---------------------------------------------------------------------------------------------------- the network
def _have_run(record: dict, data: Path, runs: Path, train: bool) -> None:
    """See to it that the trained network is there; train it, or say which command does."""
    folder = runs / record["run"]
    if (folder / "best").is_dir():
        return
    experiment, size = record["experiment"], record["size"]
    command = f"stemjax experiment run {experiment} --size {size}"
    if not train:
        raise OSError(
            f"{folder}: this network is not here; `{command}` trains it with the others of its table, or --train"
        )
    print(f"{folder}: not here; training it, after those that {experiment} needs before it", flush=True)
    root = data.parent if (data / "manifest.json").is_file() else data
    _train(experiment, size, runs, root, record["run"])
    if not (folder / "best").is_dir():
        where = _whereabouts(record["code"])
        raise ValueError(f"{folder}: this version of {experiment} trains other networks; those are of commit {where}")


def _train(experiment: str, size: str, runs: Path, data: Path, wanted: str) -> None:
    """The trainings of an experiment, up to the wanted one; its records, if it makes any before, are thrown away."""
    from stemjax.cli.experiment import from_checkout

    experiments = from_checkout()
    from experiments.workspace import Workspace

    class Trained(Exception):
        """The wanted run is there."""

    @dataclass(frozen=True)
    class UntilThere(Workspace):
        def trained(self, run, *arguments, **more):
            found = super().trained(run, *arguments, **more)
            if run.hash == wanted:
                raise Trained
            return found

    module = experiments.load(experiment)
    with tempfile.TemporaryDirectory() as scratch, contextlib.suppress(Trained):
        workspace = UntilThere(data=data, runs=runs, results=Path(scratch))
        getattr(module, "train", module.run)(size, workspace)
