"""Results of the analysis as tables."""

from nnpotential.view.tables import print_generalisation


def test_correlations_of_single_classes_are_not_shown(capsys):
    cell = {"correlation": 0.25, "interval": [0.125, 0.5], "level": 0.95}
    names = "test-auc", "test-auc-0", "test-auc-1", "test-loss"
    rows = {name: {"loss": cell, "log_determinant": cell} for name in names}
    print_generalisation({"correlations": rows, "ensembles": None})
    lines = [line.split("│")[1:4] for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [[cell.strip() for cell in line] for line in lines] == [
        ["test-auc", "0.25 (0.12 to 0.50)", "0.25 (0.12 to 0.50)"],
        ["test-loss", "0.25 (0.12 to 0.50)", "0.25 (0.12 to 0.50)"],
    ]
