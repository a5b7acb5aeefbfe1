"""A network's loss as a pele system."""

import logging
from copy import copy
from math import log10

import numpy as np
from pele.accept_tests.metropolis import Metropolis
from pele.systems import BaseSystem
from pele.systems.basesystem import BaseParameters
from pele.takestep import TakestepInterface

from .band import BandDriver
from .connect import NNDoubleEndedConnect
from .errors import InputError
from .files import absolute
from .krylov import KRYLOV_LIMIT
from .potential import LossSettings, NNPotential
from .quench import quench
from .quiet import quiet
from .stationary import TRAVELLING, Scales, spectrum
from .symmetry import Symmetry

__all__ = ["NNSystem"]

# pele sends everything down to DEBUG to standard output
logging.getLogger("pele").setLevel(logging.ERROR)


class NNSystem(BaseSystem):
    """The loss of a network on a data set as a complete pele system.

    Parameters
    ----------
    net : MLP
    data : Dataset
        Its training set defines the loss.
    loss : {"cross_entropy", "squared_error"}, optional
        By default cross-entropy for class labels, squared error for targets.
    regularization : float
        Weight of the sum of squared parameters.
    regularize_bias : bool
    seed : int or sequence of int
        Fixes the random starts and steps of this object. pele's own random
        steps draw from NumPy's global state; none is used here.

    Attributes
    ----------
    potential : NNPotential
    symmetry : Symmetry
    scales : Scales
        What is small here: tolerances, the window of energies.
    params : pele.systems.Parameters
        Tuned to these landscapes; change them as on any pele system.

    Examples
    --------
    >>> import nnpotential as nnp
    >>> data = nnp.load_dataset("iris", seed=0)
    >>> system = nnp.NNSystem(nnp.MLP([4, 3, 3]), data, regularization=1e-3)
    >>> database = system.create_database()
    >>> system.get_basinhopping(database=database, outstream=None).run(5)
    """

    def __init__(self, net, data, *, loss=None, regularization=1e-4, regularize_bias=True, seed=0):
        with quiet():  # pele remarks on its own defaults
            super().__init__()
        if net.activation == "relu":
            raise InputError(
                "relu has no second derivative, so its landscape has no transition states to find: "
                "use tanh, sigmoid, softplus or silu"
            )
        if loss is None:
            loss = "cross_entropy" if data.is_classification else "squared_error"
        if loss == "cross_entropy" and not data.is_classification:
            raise InputError("cross_entropy needs class labels; these data have real targets")
        if net.layer_sizes[0] != data.n_inputs or net.layer_sizes[-1] != data.n_outputs:
            raise InputError(
                f"the data need a network with {data.n_inputs} inputs and {data.n_outputs} "
                f"outputs, not {net.layer_sizes[0]} and {net.layer_sizes[-1]}"
            )
        self.net, self.data = net, data
        self.settings = LossSettings(loss, regularization, regularize_bias)
        self.potential = NNPotential(
            net,
            data.X_train,
            data.y_train,
            loss=loss,
            regularization=regularization,
            regularize_bias=regularize_bias,
        )
        self.symmetry = Symmetry(
            net, loss, self.settings.regularization, self.settings.regularize_bias
        )
        self.scales = Scales(_energy_scale(loss, data.y_train), self.symmetry.tolerance)
        self.rng = np.random.default_rng(seed)
        self._set_params()

    def _set_params(self):
        p = self.params
        # Distinct minima can be this close in loss; symmetry matching tells them apart.
        p.database.accuracy = self.scales.energy_window
        # Neighbouring minima differ by hundredths of a nat, not by units.
        p.basinhopping.temperature = 0.01 * self.scales.energy
        # At 1.0 most steps of 3-10-4 and 3-5-4 networks fell back, at 2.0 few did.
        p.takestep.stepsize = 2.0
        # Below this rms gradient Newton needs some five steps.
        # Matrix-free, L-BFGS is the cheaper of the two almost to the end.
        p.structural_quench_params.lbfgs_tol = (
            1e-5 if self.net.n_parameters <= KRYLOV_LIMIT else 1e-8
        )
        # Condition numbers of 1e5 and more: a long memory pays for itself.
        p.structural_quench_params.memory = 30
        # The default of 0.1 crawls across distances of order ten.
        p.structural_quench_params.maxstep = 1.0

        connect = p.double_ended_connect
        # Five bands leave half of the pairs of a deep network unconnected, twenty few.
        # Where one takes minutes, the search had better choose a new pair in between.
        connect.niter = 20 if self.net.n_parameters <= KRYLOV_LIMIT else 3
        local = connect.local_connect_params
        # Eigenvector following needs no more than this from a fair candidate.
        local.tsSearchParams = BaseParameters()
        local.tsSearchParams.nsteps = 200
        if self.net.n_parameters > KRYLOV_LIMIT:
            # Of walks up the softest modes of a 64-32-32-10 network 6 in 10 stayed with their
            # minimum this way, 1 in 4 with steps of up to 1; small networks lose more than
            # they gain.
            local.tsSearchParams.radius = local.tsSearchParams.max_radius = 0.1
        # Far enough off the ridge for a loss that falls beyond rounding.
        local.pushoff_params.pushoff = 0.02
        neb = local.NEBparams
        # Forces of a loss are near 0.1 and below; stiffer springs drown them.
        neb.k = 0.01
        # Aligned minima are about five apart; three images a unit resolve the path.
        neb.image_density = 3.0
        neb.max_images = 30
        # Only a candidate is wanted; eigenvector following does the rest.
        neb.iter_density = 3
        # Single nudging lets the images slide apart: more maxima, more transition states.
        neb.dneb = False
        neb.verbose = -1
        # The default tolerance of 1e-2 stops the band after two steps; the default
        # memory of 4 and step of 0.1 leave it short of its path after that many iterations.
        neb.NEBquenchParams = {"tol": 1e-5, "maxErise": 100.0, "maxstep": 0.5, "M": 10}

    def with_seed(self, seed):
        """The same system, parameters included, with a random generator of its own."""
        twin = copy(self)
        twin.rng = np.random.default_rng(seed)
        return twin

    def get_potential(self):
        """The `NNPotential`."""
        return self.potential

    def get_random_configuration(self):
        """A random start, drawn as `MLP.random_parameters` does."""
        return self.net.random_parameters(self.rng)

    def get_minimizer(self, **kwargs):
        """A function ``coords -> Result`` that quenches to the full standard.

        Parameters
        ----------
        **kwargs
            Override ``params.structural_quench_params``; see `quench`. pele's
            ``tol`` is accepted and ignored: convergence is always complete.
        """
        kwargs.pop("tol", None)
        options = {"scales": self.scales, **self.params.structural_quench_params, **kwargs}
        return lambda coords: quench(coords, self.potential, self.symmetry.zero_modes, **options)

    def get_takestep(self, **kwargs):
        """Uniform random displacement of every parameter, from the system's generator."""
        options = {**self.params.takestep, **kwargs}
        return _Displacement(self.rng, **options)

    def get_accept_test(self, temperature=None):
        """The Metropolis test, drawing from the system's generator."""
        if temperature is None:
            temperature = self.params.basinhopping.temperature
        return Metropolis(temperature, random=self.rng.random)

    def get_basinhopping(self, *args, **kwargs):
        """As pele's, with the system's own acceptance test; see `get_accept_test`."""
        kwargs.setdefault("acceptTest", self.get_accept_test(kwargs.get("temperature")))
        return super().get_basinhopping(*args, **kwargs)

    def get_mindist(self):
        """A function ``x1, x2 -> distance, x1, nearest image of x2``."""
        return self._mindist()

    def _mindist(self, **options):
        def mindist(x1, x2):
            distance, image = self.symmetry.align(x1, x2, **options)
            return distance, x1, image

        return mindist

    def get_compare_exact(self):
        """A function that tells whether two points are images of each other."""
        return self.symmetry.are_same

    def get_orthogonalize_to_zero_eigenvectors(self):
        """A function that removes the zero modes from a vector, or None without any."""
        zero_modes = self.symmetry.zero_modes
        if zero_modes.shape[1] == 0:
            return None
        return lambda vector, coords: vector - zero_modes @ (zero_modes.T @ vector)

    def get_nzero_modes(self):
        """Number of directions in which the loss never changes."""
        return self.symmetry.zero_modes.shape[1]

    def get_metric_tensor(self, coords):
        """None: the metric is the identity."""
        return None

    def get_pgorder(self, coords):
        """Number of symmetry operations that leave the point as it is.

        An int as long as the database can hold it, then the nearest float.
        """
        order = self.symmetry.n_self_images(coords)
        return order if order < 2**63 else _nearest_float(order)

    def why_no_minimum(self, failures):
        """Why a search found no minimum, a sentence, or None where that is not known.

        Parameters
        ----------
        failures : dict
            By what became of the quenches: how many (``n``), and ``lowest_loss``.
        """
        deviation = self.scales.energy**0.5
        if failures and not 0.03 < deviation < 30:
            return (
                f"the targets deviate by {deviation:.1g}, where weights begin near one: "
                "standardise them"
            )
        weight = f"{self.settings.regularization:g}"
        if failures and TRAVELLING not in failures:
            ended = ", ".join(f"{entry['n']} {reason}" for reason, entry in failures.items())
            return (
                f"no quench converged at regularization {weight} ({ended}); with a weak penalty or "
                "none there may be no minimum: give a larger --regularization"
            )
        if not failures:
            return None
        lowest = failures[TRAVELLING]["lowest_loss"]
        vanishes = lowest <= 1e-6 * self.scales.energy
        remedy = "give --regularization" if weight == "0" else "give a larger --regularization"
        return (
            f"the loss has no minimum at regularization {weight} on these data: it falls "
            f"{'towards 0 ' if vanishes else ''}as the parameters grow; {remedy}"
        )

    def get_log_product_normalmode_freq(self, coords, nnegative=0):
        """Log product of the Hessian's eigenvalues without zero modes.

        pele's own takes eigenvalues below 1e-4 for zero modes; here they are
        real.

        Raises
        ------
        InputError
            If the point has not `nnegative` negative eigenvalues.
        """
        here = spectrum(self.potential, np.asarray(coords, dtype=float), self.symmetry.zero_modes)
        if here.index != nnegative:
            raise InputError(f"the point has index {here.index}, not {nnegative}")
        return float(np.log(np.abs(here.physical)).sum())

    def create_database(self, db=None, **kwargs):
        """As pele's; a file may be any path, and a change of directory does not move it."""
        if db is not None:
            kwargs["db"] = db if db == ":memory:" else str(absolute(db))
        return super().create_database(**kwargs)

    def get_double_ended_connect(self, min1, min2, database, **kwargs):
        """pele's `DoubleEndedConnect` with exact refinement; see `NNDoubleEndedConnect`."""
        options = {
            "band_mindist": self.get_mindist(),
            "scales": self.scales,
            **self.params.double_ended_connect,
            **kwargs,
        }
        # one start ranks pairs well enough; only the ends of a band need the nearest image
        mindist = self._mindist(n_starts=1)
        return NNDoubleEndedConnect(
            min1, min2, self.potential, mindist, database, self.symmetry, **options
        )

    def createNEB(self, coords1, coords2, **kwargs):
        """A `BandDriver` between two points, with pele's arguments."""
        options = {**self.params.double_ended_connect.local_connect_params.NEBparams, **kwargs}
        return BandDriver(self.potential, coords1, coords2, **options)

    def get_system_properties(self):
        """What a database of this system records, all plain numbers and strings."""
        return {
            "layer_sizes": "-".join(map(str, self.net.layer_sizes)),
            "activation": self.net.activation,
            "bias": int(self.net.bias),
            "loss": self.settings.loss,
            "regularization": self.settings.regularization,
            "regularize_bias": int(self.settings.regularize_bias),
            "dataset": self.data.name,
            "dataset_sha256": self.data.sha256,
        }


def _nearest_float(order):
    try:
        return float(order)
    except OverflowError:
        raise InputError(
            f"the point has a symmetry of order 10^{log10(order):.1f}, more than a float holds: "
            "take the logarithm of symmetry.n_self_images"
        ) from None


def _energy_scale(loss, y):
    """The loss, roughly, of a network that has learnt nothing."""
    if loss == "cross_entropy":
        return 1.0
    largest = float(np.abs(y).max()) or 1.0
    y = y / largest  # its squares may overflow
    return largest**2 * float(np.var(y, axis=0).mean() or np.mean(y**2) or 1.0)


class _Displacement(TakestepInterface):
    """Uniform displacement, as pele's `RandomDisplacement` but from a given generator."""

    def __init__(self, rng, stepsize):
        self.rng = rng
        self.stepsize = stepsize

    def takeStep(self, coords, **kwargs):
        coords += self.rng.uniform(-self.stepsize, self.stepsize, coords.size)
