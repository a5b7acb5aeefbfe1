"""Loss-function landscapes of neural networks: minima, transition states, connections."""

from importlib import import_module

_HOMES = {
    "DATASETS": "networks.datasets",
    "MLP": "networks.mlp",
    "Dataset": "networks.datasets",
    "InputError": "errors",
    "Landscape": "landscape",
    "NNPotential": "networks.potential",
    "NNSystem": "networks.system",
    "Symmetry": "networks.symmetry",
    "LandscapeSystem": "contract",
    "Identity": "contract",
    "Scales": "contract",
    "Measure": "contract",
    "TransitionNetwork": "analysis.transition_network",
    "adapt": "contract",
    "register": "systems.registry",
    "LennardJonesCluster": "systems.clusters",
    "BinaryLennardJones": "systems.glass",
    "LinearAutoencoder": "systems.functions",
    "EggBox": "systems.functions",
    "Units": "networks.symmetry",
    "from_sklearn": "networks.models",
    "to_sklearn": "networks.models",
    "from_torch": "networks.models",
    "to_torch": "networks.models",
    "load_dataset": "networks.datasets",
    "Sweep": "sweep.sweep",
    "import_pathsample": "interchange",
    "export_pathsample": "interchange",
    "import_topsearch": "interchange",
    "export_topsearch": "interchange",
    "open_network": "interchange",
    "export_archive": "sharing",
    "import_archive": "sharing",
    "import_untrusted": "sharing",
    "export_graphml": "sharing",
    "import_graphml": "sharing",
    "export_csv": "sharing",
    "disconnectivity_graph": "graphs",
    "disconnectivity_graphs": "graphs",
}

__all__ = list(_HOMES)

# not for everyone: it needs an extra, and seconds
_HOMES["TorchSystem"] = "systems.torch_system"


def __getattr__(name):
    """Import a public name where it is first used: the command line must hear Ctrl-C before."""
    if name == "__version__":
        value = import_module("importlib.metadata").version(__name__)
    elif name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_HOMES, "__version__"})
