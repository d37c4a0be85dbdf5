"""The sample grids: which picture stands in which column of which run at which step."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from avatar_exp.report.embed import LEAST_BYTES, MOST_STEPS, Sheets, sheets, steps_to_show
from avatar_exp.report.runs import Picture, Run
from avatar_exp.report.verdicts import best_word


def gallery(runs: Sequence[Run], beside: Path, budget: int) -> tuple[dict[str, Any], Sheets]:
    """What ``templates/pictures.js`` shows, and the pictures within the page.

    Args:
        beside: the folder that the page will be in; full pictures are named relative to it.
        budget: bytes for the pictures.
    """
    most = most_steps(runs, budget)
    shown = [
        {step: run.pictures[step] for step in steps_to_show(list(run.pictures), most, run.told_step)} for run in runs
    ]
    files = {
        (place, step): [run.folder.path / one.file for one in pictures]
        for place, run in enumerate(runs)
        for step, pictures in shown[place].items()
    }
    made = sheets(files, budget)
    titles = column_titles(runs, shown)
    columns = list(dict.fromkeys(title for own in titles for title in own.values()))
    steps = sorted({step for own in shown for step in own})
    content = {
        "columns": columns,
        "steps": steps,
        "left_out": max((len(run.pictures) - len(own) for run, own in zip(runs, shown, strict=True)), default=0),
        "across": made.across,
        "runs": [
            {
                "name": run.name,
                "best": run.best_step,
                "word": best_word(run),
                "from": quote(os.path.relpath(run.folder.path.resolve(), beside.resolve()).replace(os.sep, "/")) + "/",
                "sheets": [
                    {
                        "step": step,
                        "id": made.shown[place, step],
                        "told": told(run, step),
                        "cells": cells(pictures, titles[place], columns),
                    }
                    for step, pictures in shown[place].items()
                ],
            }
            for place, run in enumerate(runs)
        ],
    }
    return content, made


def most_steps(runs: Sequence[Run], budget: int) -> int:
    """How many steps of each run can be shown at the smallest size."""
    one_step = sum(max(map(len, run.pictures.values()), default=0) for run in runs)
    return max(2, min(MOST_STEPS, budget // (LEAST_BYTES * one_step))) if one_step else MOST_STEPS


def column_titles(runs: Sequence[Run], shown: Sequence[dict[int, list[Picture]]]) -> list[dict[str, str]]:
    """Of each run, the column of each prompt: the prompt, with {subject} for its subject where subjects differ."""
    subjects = [subject(run) for run in runs]
    several = len(set(subjects)) > 1
    return [
        {
            one.prompt: one.prompt.replace(name, "{subject}") if several and name else one.prompt
            for pictures in own.values()
            for one in pictures
        }
        for name, own in zip(subjects, shown, strict=True)
    ]


def subject(run: Run) -> str:
    """``hoanganh person``; empty for a run that learnt several, which would fall into one column."""
    nouns = run.info.get("class_noun")
    if len(run.concepts) != 1 or not isinstance(nouns, list) or len(nouns) != 1:
        return ""
    return f"{run.concepts[0]} {nouns[0]}"


def cells(pictures: Sequence[Picture], titles: dict[str, str], columns: Sequence[str]) -> list[list[Any]]:
    """Of each picture: its column, which one of its prompt it is, its seed, and its file."""
    seen: dict[str, int] = {}
    found: list[list[Any]] = []
    for one in pictures:
        place = seen.get(one.prompt, 0)
        seen[one.prompt] = place + 1
        found.append([columns.index(titles[one.prompt]), place, one.seed, quote(one.file)])
    return found


def told(run: Run, step: int) -> str:
    """The two scores to know while looking."""
    known = run.scores.get(step, {})
    return " \N{MIDDLE DOT} ".join(
        f"{n} {known[f'score/{n}']:.2f}" for n in ("likeness", "choice") if f"score/{n}" in known
    )
