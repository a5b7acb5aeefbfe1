"""What a definition means, and what of it is refused before any work."""

import itertools
import random

import pytest
from troubled import Troubled

from nnpotential import InputError
from nnpotential.search.settings import SearchSettings
from nnpotential.sweep.grid import Grid, read_definition
from nnpotential.sweep.point import effort_lacks

NETWORK = {"dataset": {"name": "xor", "n_train": 20, "n_test": 5}}


def labels(definition):
    return [point.label for point in Grid(definition)]


def test_the_grid_is_the_product_and_seeds_are_one_more_axis():
    grid = Grid(
        {
            "seed": [0, 1],
            "dataset": {"name": "xor", "n_train": [20, 40], "n_test": 5},
            "network": {"hidden": [[2], [2, 3]]},
            "potential": {"regularization": 1e-3},
        }
    )
    assert len(grid) == 8
    assert grid[0].label == "n_train-20_hidden-2_seed-0"
    assert grid[7].label == "n_train-40_hidden-2x3_seed-1"
    assert grid[3].settings == {
        "seed": 1,
        "dataset": {"name": "xor", "n_train": 20, "n_test": 5},
        "network": {"hidden": [2, 3]},
        "potential": {"regularization": 1e-3},
    }
    # 2-2-2 and 2-2-3-2, by hand
    assert grid.size(grid[0]) == (2 * 2 + 2 + 2 * 2 + 2, 20)
    assert grid.size(grid[7]) == (6 + 9 + 8, 40)


def test_zip_takes_lists_of_one_length_together():
    definition = {
        "seed": [0, 1],
        "dataset": {"name": "xor", "n_train": [20, 40], "n_test": 5},
        "network": {"hidden": [[2], [3]]},
    }
    assert labels({**definition, "zip": True}) == [
        "n_train-20_hidden-2_seed-0",
        "n_train-20_hidden-2_seed-1",
        "n_train-40_hidden-3_seed-0",
        "n_train-40_hidden-3_seed-1",
    ]
    assert len(Grid({**definition, "zip": [["hidden", "dataset.n_train", "seed"]]})) == 2
    assert len(Grid({**definition, "zip": ["hidden", "seed"]})) == 4


def test_one_value_that_is_a_list_is_no_axis():
    assert labels({**NETWORK, "network": {"hidden": [2, 3]}}) == ["point"]
    assert labels({**NETWORK, "network": {"hidden": [[]]}}) == ["hidden-none"]
    starts = {"search": {"initializations": [["sphere"]]}, "system": {"name": "lj5"}}
    assert labels(starts) == ["initializations-sphere"]
    variances = {"name": "linear_autoencoder", "variances": [[3, 2], [4, 3, 2]]}
    assert labels({"system": variances}) == ["variances-3x2", "variances-4x3x2"]


def test_names_of_systems_and_of_files_vary(tmp_path):
    mine = Troubled.kind  # registered by the user
    assert labels({"system": {"name": ["lj5", "egg_box", mine]}}) == ["lj5", "egg_box", mine]
    (tmp_path / "mine.csv").write_text("1,2,0\n2,1,1\n3,3,0\n1,1,1\n2,3,0\n0,1,1\n")
    file = tmp_path / "SWEEP.toml"
    file.write_text('[dataset]\nname = ["mine.csv", "xor"]\nn_train = 4\nn_test = 2\n')
    grid = Grid(read_definition(file))
    assert [point.label for point in grid] == ["mine", "xor"]
    before = grid[0].key
    (tmp_path / "mine.csv").write_text("1,2,0\n2,1,1\n3,3,0\n1,1,1\n2,3,0\n0,2,1\n")
    from nnpotential.sweep import grid as module

    module._checksum.cache_clear()
    assert Grid(read_definition(file))[0].key != before  # other data are another point


def test_random_grids_hold_every_combination_once():
    rng = random.Random(0)
    lists = {
        "search.quenches": [1, 2, 3, 4],
        "search.soft_modes": [0, 1, 2],
        "search.lookahead": [16, 32],
        "seed": [0, 5, 7],
    }
    for _ in range(30):
        chosen = {name: rng.sample(v, rng.randint(1, len(v))) for name, v in lists.items()}
        names = rng.sample(sorted(lists), rng.randint(1, 4))
        search = {n.split(".")[1]: chosen[n] for n in names if n != "seed"}
        seeds = {"seed": chosen["seed"]} if "seed" in names else {}
        grid = Grid({"system": {"name": "egg_box"}, "search": search, **seeds})
        found = [
            tuple(p.search[n.split(".")[1]] if n != "seed" else p.settings["seed"] for n in names)
            for p in grid
        ]
        assert sorted(found) == sorted(itertools.product(*(chosen[n] for n in names)))
        assert len({p.label for p in grid}) == len({p.key for p in grid}) == len(grid)
        assert [p.index for p in grid] == list(range(len(grid)))


def test_a_point_is_the_same_however_it_is_written():
    def key(**settings):
        return Grid({**NETWORK, **settings})[0].key

    assert key() == key(seed=0, network={"activation": "tanh", "hidden": [10]})
    assert key(seed=[0]) == key()
    assert key(potential={"regularization": 1}) == key(potential={"regularization": 1.0})
    assert key(seed=1) != key()
    assert key(search={"quenches": 5}) != key()
    long = Grid({"system": {"name": "egg_box"}, "search": {"initializations": [["uniform"] * 99]}})
    assert len(long[0].label) < 200


def test_effort_may_only_rise():
    def lacks(old, new):
        points = [
            Grid({"system": {"name": "lj5"}, "search": search})[0].effort for search in (old, new)
        ]
        return effort_lacks(*points)

    assert lacks({"quenches": 5}, {"quenches": 7, "until_coverage": 0.5}) is None
    assert lacks({"quenches": 5}, {"quenches": 4}) == "quenches was 5 and would be 4"
    for option in ("untrap_attempts", "soft_modes"):  # by default as many as pay
        assert lacks({}, {option: 300}) == f"{option} was None and would be 300"
        assert lacks({option: 300}, {}) == f"{option} was 300 and would be None"
    assert "lookahead" in lacks({}, {"lookahead": 32})


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({**NETWORK, "netwrok": {}}, "unknown setting 'netwrok': did you mean 'network'?"),
        (
            {**NETWORK, "network": {"hiden": [3]}},
            "unknown setting of [network] 'hiden': did you mean 'hidden'?",
        ),
        ({**NETWORK, "search": {"quench": 3}}, "did you mean 'quenches'?"),
        ({**NETWORK, "network": 3}, "network must be a section, as in [network], not 3"),
        ({**NETWORK, "seed": "x"}, "seed must be an integer not below 0"),
        ({**NETWORK, "seed": [0, -1]}, "seed must be an integer not below 0"),
        ({**NETWORK, "seed": []}, "seed is an empty list"),
        ({**NETWORK, "seed": [1, 1]}, "seed: 1 and 1 would have one name, 'seed-1'"),
        ({**NETWORK, "network": {"hidden": []}}, "network.hidden is an empty list"),
        ({**NETWORK, "network": {"hidden": 5}}, "network.hidden must be a list, not 5"),
        ({**NETWORK, "network": {"hidden": [[5], 5]}}, "network.hidden mixes lists and single"),
        ({**NETWORK, "search": {"quenches": [[5]]}}, "search.quenches must be one value"),
        (
            {**NETWORK, "search": {"quenches": [5, "many"]}},
            "quenches must be an integer, not 'many' (in the point with search.quenches = 'many')",
        ),
        (
            {**NETWORK, "potential": {"regularization": [1e-3, "a"]}},
            "regularization must be a number not below 0, not 'a' (in the point with",
        ),
        ({**NETWORK, "network": {"activation": ["tanh", "relu"]}}, "relu has no second derivative"),
        ({**NETWORK, "network": {"bias": [True, "no"]}}, "bias must be True or False, not 'no'"),
        ({"dataset": {"name": "irsi"}}, "unknown data set or system 'irsi': did you mean 'iris'?"),
        ({"dataset": {"name": "iris", "n_train": [100, 1000]}}, "1000"),
        (
            {"dataset": {"name": ["xor", "iris"]}, "potential": {"loss": "binary_cross_entropy"}},
            "3",
        ),
        ({"seed": 1}, "name what to map"),
        ({"system": {"name": "iris"}}, "iris is a data set: name it under [dataset]"),
        ({"system": {"name": "lj"}}, "'lj'"),
        ({"system": {"name": "eggbox", "depths": [1]}}, "did you mean 'egg_box'?; one of your own"),
        ({"system": {"name": "nobodys", "how": 1}}, "one of your own: first import the module"),
        ({"system": {"name": ["lj5", 3]}}, "unknown system 3"),
        ({"system": {"name": "lj5"}, "network": {}}, "[network] is for networks"),
        ({"system": {"name": "lj5", "depth": 1}}, "unknown setting of lj5 'depth'"),
        ({"system": {"name": "egg_box", "depth": [1]}}, "did you mean 'depths'?"),
        (
            {"system": {"name": "lj5"}, "search": {"initializations": ["shpere"]}},
            "did you mean 'sphere'?",
        ),
        ({"dataset": {"name": ["a/x.csv", "b/x.csv"]}}, "would have one name, 'x'"),
        (
            {
                **NETWORK,
                "seed": [0, 1],
                "network": {"hidden": [[1], [2], [3]]},
                "zip": ["seed", "hidden"],
            },
            "zip needs lists of one length: seed has 2, network.hidden has 3",
        ),
        ({**NETWORK, "seed": [0, 1], "zip": ["sed"]}, "did you mean 'seed'?"),
        ({**NETWORK, "zip": 3}, "zip must be true, or a list of groups"),
        (
            {**NETWORK, "seed": list(range(1001)), "search": {"quenches": list(range(1000))}},
            "the grid has 1000 x 1001 = 1001000 points; at most 1000000",
        ),
    ],
)
def test_what_is_wrong_is_one_line(definition, message):
    with pytest.raises(InputError) as error:
        Grid(definition)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_definition(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("seed = [0, 1\n")
    with pytest.raises(InputError, match="is no TOML"):
        read_definition(tmp_path / "bad.toml")


def test_landscapes_that_are_compared_are_not_grown_unasked():
    [plain] = Grid({"system": {"name": "lj7"}})
    [grown] = Grid({"system": {"name": "lj7"}, "search": {"grow": 5}})
    assert plain.effort.n_to_grow(apart=True) == 0 and grown.effort.n_to_grow(apart=True) == 5
    assert plain.resolved["search"]["grow"] == 0
    assert SearchSettings().n_to_grow(apart=True) > 0 == SearchSettings().n_to_grow(apart=False)


def test_what_is_left_to_the_search_is_so_however_it_is_written():
    system = {"system": {"name": "lj7"}}
    some, left = Grid({**system, "search": {"soft_modes": [2, "auto"], "joined": "auto"}})
    assert left.label == "soft_modes-auto"
    assert (some.effort.soft_modes, left.effort.soft_modes) == (2, None)
    [plain] = Grid(system)
    assert left.key == plain.key != some.key
    # what is compared is grown only where it is asked for
    [grown] = Grid({**system, "search": {"grow": "auto"}})
    assert grown.effort.grow is None and plain.effort.grow == 0 and grown.key != plain.key
    with pytest.raises(InputError, match="quenches must be an integer, not 'auto'"):
        Grid({**system, "search": {"quenches": "auto"}})


def test_a_setting_that_came_later_leaves_finished_points_what_they_are():
    """The key of a point of a sweep that was run before there was growth."""
    search = {"quenches": 3}
    [before] = Grid({"system": {"name": "lj7"}, "search": search})
    [unused] = Grid({"system": {"name": "lj7"}, "search": search | {"grow": 0}})
    [grown] = Grid({"system": {"name": "lj7"}, "search": search | {"grow": 5}})
    assert before.key == unused.key != grown.key
    assert before.key == "9b40174b8254b700fc29880181d13f528b44e8b4f898c5c7af8915f6928c4a9b"
