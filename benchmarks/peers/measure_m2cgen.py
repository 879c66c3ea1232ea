# SPDX-License-Identifier: MIT
"""m2cgen: a tree as nested ifs, compiled from C and in Python; scikit-learn's ``apply`` beside it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import m2cgen
import numpy as np
from sklearn.tree import DecisionTreeClassifier

from policies import (
    BATCH,
    DEPTH,
    TREE,
    Array,
    Opponent,
    buffers,
    measure,
    random_data,
    singles,
    tree_file,
)
from protocol import Protocol, absent

OPTIONS = ("-O3", "-O3 -march=native")
LOOP = """
#include <stddef.h>
#include <stdint.h>

void act(const float *x, ptrdiff_t n, int64_t *actions) {
    for (ptrdiff_t i = 0; i < n; ++i, x += 4) {
        double input[4] = {x[0], x[1], x[2], x[3]}, output[2];
        score(input, output);
        actions[i] = output[1] > output[0];
    }
}
"""


def compiled(source: str, options: str, folder: Path) -> Any:
    """The function ``act`` of the source."""
    code, library = folder / "tree.c", folder / f"tree{options.replace(' ', '')}.so"
    code.write_text(source + LOOP)
    compiler = ["gcc", *options.split(), "-shared", "-fPIC", "-o", str(library), str(code)]
    subprocess.run(compiler, check=True)
    act = ctypes.CDLL(str(library)).act
    act.argtypes = [ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_void_p]
    act.restype = None
    return act


def in_c(act: Any, observations: list[Array]) -> Opponent:
    """The calls have their pointers prepared: in C there is no array to take them from."""
    n = 1 if observations[0].ndim == 1 else BATCH
    found = np.empty(n, np.int64)
    target = found.ctypes.data
    pointers = [observation.ctypes.data for observation in observations]
    return Opponent(lambda pointer: act(pointer, n, target), pointers, lambda _: found.copy())


def in_python(source: str) -> Callable[[list[float]], list[float]]:
    space: dict[str, Any] = {}
    exec(source, space)
    score: Callable[[list[float]], list[float]] = space["score"]
    return score


def main() -> None:
    protocol = Protocol("m2cgen", "scikit-learn")
    tree = DecisionTreeClassifier(max_depth=DEPTH, random_state=0).fit(*random_data())
    file, classes = tree_file(tree), tree.classes_[tree.tree_.value[:, 0].argmax(axis=1)]
    score = in_python(m2cgen.export_to_python(tree))

    one, many = singles(), buffers()
    of_one = {
        "m2cgen, pure Python": Opponent(
            score, [row.tolist() for row in one], lambda shares: shares[1] > shares[0]
        )
    }
    of_many = {"scikit-learn tree_.apply": Opponent(tree.tree_.apply, many, lambda leaves: classes[leaves])}
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("gcc"):
            for options in OPTIONS:
                act = compiled(m2cgen.export_to_c(tree), options, Path(folder))
                of_one[f"m2cgen, C {options}"] = in_c(act, one)
                of_many[f"m2cgen, C {options}"] = in_c(act, many)
        else:
            absent("there is no gcc to compile the C with", TREE)
        measure(protocol, TREE, file, one, of_one)
        better = "the better of tree_.apply and m2cgen C" if len(of_many) > 1 else None
        measure(protocol, TREE, file, many, of_many, better)


if __name__ == "__main__":
    main()
