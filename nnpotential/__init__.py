"""Loss-function landscapes of neural networks: minima, transition states, connections."""

from importlib.metadata import version

from .datasets import DATASETS, Dataset, load_dataset
from .errors import InputError
from .landscape import Landscape
from .network import MLP
from .potential import NNPotential
from .symmetry import Symmetry
from .system import NNSystem

__all__ = [
    "DATASETS",
    "MLP",
    "Dataset",
    "InputError",
    "Landscape",
    "NNPotential",
    "NNSystem",
    "Symmetry",
    "load_dataset",
]

__version__ = version("nnpotential")
