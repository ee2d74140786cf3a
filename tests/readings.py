"""Readings of forms as a model answers them, from the short form of the files in benchmarks/structure_ask."""

import copy
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent.parent / "benchmarks" / "structure_ask"


def cases():
    """The project's own cases by name: ``prompt``, ``truth``, ``reading``, ``again``, ``refused``, ``twins``."""
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yaml"))}


def answer(reading):
    """The whole answer that a short reading stands for."""
    whole = {"form": "json", "why": "", "values": [], "beside": [], "mistaken": [], **reading}
    return {**whole, "values": [_value(one) for one in whole["values"]]}


def _value(short):
    bounds = dict.fromkeys(("minimum", "maximum", "min_items", "max_items", "max_length"))
    quotes = [one if isinstance(one, dict) else _quote(one) for one in short["quotes"]]
    return {"labels": [], "format": "", "pattern": "", **bounds, **short, "quotes": quotes}


def _quote(short):
    line, _, words = short.partition(": ")
    return {"line": int(line), "words": words}


def twin(reading, change):
    """A reading with one fault: a value changed, dropped, renamed, moved or added, or nothing beside."""
    made = copy.deepcopy(reading)
    for step in (change, change.get("then") or {}):
        path = step.get("path")
        for value in made["values"]:
            if value["path"] == path:
                value.update(step.get("set", {}))
            if "rename" in step and value["path"].split("/")[: len(path.split("/"))] == path.split("/"):
                head = path.rpartition("/")[0]
                value["path"] = f"{head}/{step['rename']}" + value["path"][len(path) :]
            if "move" in step and value["path"] == path:
                value["path"] = step["move"]
        if step.get("drop"):
            made["values"] = [one for one in made["values"] if one["path"] != path]
        if "add" in step:
            made["values"].append(step["add"])
        if "beside" in step:
            made["beside"] = step["beside"]
    assert made != reading
    return made
