# SPDX-License-Identifier: MIT
"""scikit-learn: the decisions of a tree and of a forest."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from policies import (
    DEPTH,
    FOREST,
    TREE,
    Opponent,
    buffers,
    forest_file,
    measure,
    random_data,
    singles,
    tree_file,
)
from protocol import Protocol


def same(found: object) -> object:
    return found


def main() -> None:
    protocol = Protocol("scikit-learn")
    tree = DecisionTreeClassifier(max_depth=DEPTH, random_state=0).fit(*random_data())
    file, classes = tree_file(tree), tree.classes_[tree.tree_.value[:, 0].argmax(axis=1)]
    for observations in (singles(), buffers()):
        rows = [np.atleast_2d(observation) for observation in observations]
        opponents = {
            "scikit-learn predict": Opponent(tree.predict, rows, same),
            "scikit-learn tree_.apply": Opponent(tree.tree_.apply, rows, lambda leaves: classes[leaves]),
        }
        measure(protocol, TREE, file, observations, opponents)

    forest = RandomForestClassifier(100, max_depth=DEPTH, random_state=0, n_jobs=1).fit(*random_data())
    opponents = {"scikit-learn predict": Opponent(forest.predict, buffers(), same)}
    measure(protocol, FOREST, forest_file(forest), buffers(), opponents)


if __name__ == "__main__":
    main()
