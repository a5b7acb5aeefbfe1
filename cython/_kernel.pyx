# cython: language_level=3, boundscheck=False, wraparound=False
# distutils: language = c++
"""The compiled loss of a network: a pele potential and its Hessian products."""

cimport numpy as np
import numpy as np
from libc.math cimport INFINITY, sqrt
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr as cpp_shared_ptr
from libcpp.string cimport string
from libcpp.vector cimport vector

from pele.potentials cimport _pele

from nnpotential.errors import InputError

np.import_array()


cdef bint all_finite(const double *x, Py_ssize_t n) noexcept nogil:
    # sixteen sums: one alone would wait for each addition
    cdef Py_ssize_t i, whole = n - n % 16
    cdef double sums[16]
    cdef double total = 0
    cdef int k
    for k in range(16):
        sums[k] = 0
    for i in range(0, whole, 16):
        for k in range(16):
            sums[k] += x[i + k] * 0.0
    for k in range(16):
        total += sums[k]
    for i in range(whole, n):
        total += x[i] * 0.0
    return total == 0


cdef bint plain(x, Py_ssize_t n, bint several=False):
    """Whether `x` is an ndarray of finite float64 side by side, of shape (n,) or several such."""
    if type(x) is not np.ndarray:
        return False
    cdef np.ndarray a = x
    cdef int axes = np.PyArray_NDIM(a)
    return (
        (axes == 1 or several and axes == 2 and np.PyArray_DIM(a, 0) > 0)
        and np.PyArray_DIM(a, axes - 1) == n
        and np.PyArray_TYPE(a) == np.NPY_DOUBLE
        and np.PyArray_ISCARRAY_RO(a)
        and all_finite(numbers(a), np.PyArray_SIZE(a))
    )


# memory views of what comes and goes would take a fifth of the time of a small network
cdef inline double *numbers(np.ndarray a) noexcept:
    return <double *>np.PyArray_DATA(a)


cdef inline np.ndarray empty(Py_ssize_t rows, Py_ssize_t columns, int axes):
    """An array of shape (rows, columns), with one axis of shape (columns,)."""
    cdef np.npy_intp shape[2]
    shape[0], shape[1] = rows, columns
    return np.PyArray_SimpleNew(axes, shape + 2 - axes, np.NPY_DOUBLE)


cdef int check_result(double energy, const double *derivatives, Py_ssize_t n) except -1:
    if not (energy * 0.0 == 0 and all_finite(derivatives, n)):
        raise InputError("the parameters are too large: the loss or a derivative overflows")
    return 0


cdef extern from *:
    """
    #define NNPOTENTIAL_STRING_(x) #x
    #define NNPOTENTIAL_STRING(x) NNPOTENTIAL_STRING_(x)
    static const char *nnpotential_pele_version = NNPOTENTIAL_STRING(NNPOTENTIAL_PELE_VERSION);
    """
    const char *nnpotential_pele_version


cdef extern from "kernel.hpp" namespace "nnpotential":
    cdef enum class Activation:
        pass
    cdef enum class Loss:
        pass
    cdef cppclass Model:
        vector[size_t] sizes
        cbool bias
        Activation activation
        Loss loss
        double regularization
        cbool regularize_bias
    cdef cppclass Kernel:
        Kernel(const Model &, size_t, const double *, const double *, size_t,
               const string &, cbool) except +
        Kernel(const Model &, size_t, const float *, const double *, size_t,
               const string &, cbool) except +
        size_t n_parameters()
        const char *engine()
        double energy(const double *) except + nogil
        double energy_gradient(const double *, double *) except + nogil
        double subset(const double *, const long long *, size_t, double *) except + nogil
        void many(const double *, size_t, double *, double *) except + nogil
        double energy_gradient_hessian(const double *, double *, double *, cbool) except + nogil
        void hessian_products(const double *, const double *, size_t, double *) except + nogil
    size_t truth_rows(Loss, size_t)
    vector[string] engines()
    vector[string] activation_names()
    vector[string] loss_names()
    void vector_function(const string &, cbool, int, size_t, const double *, double *) except +

cdef extern from "pele_potential.hpp" namespace "nnpotential":
    cdef cppclass PelePotential:
        PelePotential(cpp_shared_ptr[Kernel]) except +


cdef extern from "triangular.hpp" namespace "nnpotential":
    void solve_factored(const double *, const double *, size_t, double *) nogil


cdef extern from "band.hpp" namespace "nnpotential":
    void force_on_band "nnpotential::band_force"(
        const double *, const double *, const double *, const unsigned char *, size_t, size_t,
        double, cbool, double *, double *) nogil


ACTIVATIONS = tuple(name.decode() for name in activation_names())
LOSSES = tuple(name.decode() for name in loss_names())
ENGINES = tuple(name.decode() for name in engines())
PELE_VERSION = nnpotential_pele_version.decode()


def apply_function(str engine, int which, const double[::1] values, bint single=False):
    """The engines' own exp (0), tanh (1), log1p (2) and normal tail (3), for their tests."""
    result = np.empty(values.shape[0])
    cdef double[::1] out = result
    vector_function(engine.encode(), single, which, values.shape[0], &values[0], &out[0])
    return result


cdef class KernelPotential(_pele.BasePotential):
    """The kernel behind pele's potential interface.

    `nnpotential.NNPotential` is the public class; its `_check` makes C-contiguous
    float64 of the points and vectors that are not, or refuses them. The other arrays
    here are that, except the inputs, which may be float32.

    Parameters
    ----------
    sizes : sequence of int
        Layer sizes ``[n_in, hidden..., n_out]``.
    bias : bool
    activation, loss : int
        Indices into `ACTIVATIONS` and `LOSSES`.
    regularization : float
    regularize_bias : bool
    X : ndarray, shape (n_samples, n_in)
    truth : ndarray, shape (n_samples, 1) or (n_samples, n_out)
        Class labels or targets, as the loss takes them.
    threads : int
    engine : str
        One of `ENGINES`, or empty for the first.
    single : bool
        Whether to compute in single precision; then without a Hessian.
    """

    cdef cpp_shared_ptr[Kernel] kernel
    cdef size_t n
    cdef bint in_single

    def __cinit__(self, sizes, bint bias, int activation, int loss,
                  double regularization, bint regularize_bias, X,
                  const double[:, ::1] truth, size_t threads, str engine, bint single, **kwargs):
        cdef Model model
        cdef const double[:, ::1] X64
        cdef const float[:, ::1] X32
        for size in sizes:
            model.sizes.push_back(<size_t>size)
        cdef size_t rows = truth_rows(<Loss>loss, model.sizes.back())
        if truth.shape[0] != X.shape[0] or <size_t>truth.shape[1] != rows:
            raise ValueError(f"truth must have shape {(len(X), rows)} for {LOSSES[loss]}")
        model.bias = bias
        model.activation = <Activation>activation
        model.loss = <Loss>loss
        model.regularization = regularization
        model.regularize_bias = regularize_bias
        if X.dtype == np.float32:
            X32 = X
            self.kernel.reset(new Kernel(
                model, <size_t>X32.shape[0], &X32[0, 0], &truth[0, 0], threads, engine.encode(),
                single))
        else:
            X64 = X
            self.kernel.reset(new Kernel(
                model, <size_t>X64.shape[0], &X64[0, 0], &truth[0, 0], threads, engine.encode(),
                single))
        self.n = self.kernel.get().n_parameters()
        self.in_single = single
        self.thisptr = _pele.shared_ptr[_pele.cBasePotential](
            <_pele.cBasePotential *>new PelePotential(self.kernel))

    @property
    def engine(self):
        """The instruction set in use."""
        return self.kernel.get().engine().decode()

    cdef int _fits(self, Py_ssize_t size) except -1:
        if size != <Py_ssize_t>self.n:
            raise InputError(f"the network has {self.n} parameters, not {size}")
        return 0

    cdef np.ndarray _point(self, x):
        return x if plain(x, self.n) else self._check("x", x)

    cdef np.ndarray _several(self, str name, x):
        return x if plain(x, self.n, True) else self._check(name, x, True)

    def _energy(self, x):
        cdef np.ndarray point = self._point(x)
        cdef const double *at = numbers(point)
        cdef double e
        with nogil:
            e = self.kernel.get().energy(at)
        check_result(e, NULL, 0)
        return e

    def _energy_gradient(self, x):
        cdef np.ndarray point = self._point(x), gradient = empty(1, self.n, 1)
        cdef const double *at = numbers(point)
        cdef double *g = numbers(gradient)
        cdef double e
        with nogil:
            e = self.kernel.get().energy_gradient(at, g)
        check_result(e, g, self.n)
        return e, gradient

    def _subset(self, x, const long long[::1] indices):
        cdef np.ndarray point = self._point(x), gradient = empty(1, self.n, 1)
        cdef const double *at = numbers(point)
        cdef double *g = numbers(gradient)
        cdef double e
        with nogil:
            e = self.kernel.get().subset(at, &indices[0], indices.shape[0], g)
        check_result(e, g, self.n)
        return e, gradient

    def _many(self, x):
        cdef np.ndarray points = self._several("x", x)
        cdef size_t rows = np.PyArray_SIZE(points) // self.n
        cdef np.ndarray energies = empty(1, rows, 1), gradients = empty(rows, self.n, 2)
        cdef const double *at = numbers(points)
        cdef double *e = numbers(energies)
        cdef double *g = numbers(gradients)
        with nogil:
            self.kernel.get().many(at, rows, e, g)
        check_result(0.0, e, rows)
        check_result(0.0, g, rows * self.n)
        return energies, gradients

    def _energy_gradient_hessian(self, x, bint gauss_newton=False):
        cdef np.ndarray point = self._point(x), gradient = empty(1, self.n, 1)
        cdef np.ndarray hessian = empty(self.n, self.n, 2)
        cdef const double *at = numbers(point)
        cdef double *g = numbers(gradient)
        cdef double *h = numbers(hessian)
        cdef double e
        with nogil:
            e = self.kernel.get().energy_gradient_hessian(at, g, h, gauss_newton)
        check_result(e, g, self.n)  # the kernel has looked at the Hessian
        return e, gradient, hessian

    def _products(self, x, v):
        cdef np.ndarray point = self._point(x), vectors = self._several("v", v)
        cdef size_t rows = np.PyArray_SIZE(vectors) // self.n
        cdef np.ndarray products = empty(rows, self.n, np.PyArray_NDIM(vectors))
        cdef const double *at = numbers(point)
        cdef const double *along = numbers(vectors)
        cdef double *out = numbers(products)
        with nogil:
            self.kernel.get().hessian_products(at, along, rows, out)
        check_result(0.0, out, rows * self.n)
        return products

    def force_recurrence(self, const double[::1] x, const double[::1] gradient, double step,
                         double first, const double[:, ::1] weights):
        """The last stage of an explicit method whose stages are a recurrence.

        With the forces ``f = -step * gradient`` stage 1 is ``x + first * f(x)``, and each
        row of `weights` gives the next one from ``x``, ``f(x)``, the force at the
        stage before, that stage, and the one before that.

        Parameters
        ----------
        x, gradient : ndarray, shape (n_parameters,)
        step, first : float
        weights : ndarray, shape (n_stages - 1, 5)

        Returns
        -------
        ndarray, shape (n_parameters,)
            Not finite if a stage or its gradient is not.
        """
        self._fits(x.shape[0])
        self._fits(gradient.shape[0])
        if weights.shape[1] != 5:
            raise InputError(f"weights must have 5 columns, not {weights.shape[1]}")
        last, before, force = np.empty(self.n), np.array(x), np.empty(self.n)
        cdef double[::1] y = last
        cdef double[::1] z = before
        cdef double[::1] g = force
        cdef Py_ssize_t i, j, n = self.n
        cdef double a, b, c, d, e
        with nogil:
            for i in range(n):
                y[i] = x[i] - first * step * gradient[i]
            for j in range(weights.shape[0]):
                if not all_finite(&y[0], n):
                    break
                self.kernel.get().energy_gradient(&y[0], &g[0])
                a = weights[j, 0]
                b, c = -step * weights[j, 1], -step * weights[j, 2]
                d, e = weights[j, 3], weights[j, 4]
                for i in range(n):
                    z[i] = a * x[i] + b * gradient[i] + c * g[i] + d * y[i] + e * z[i]
                y, z = z, y
        return np.asarray(y)

    def rosenbrock_stages(self, const double[::1] x, const double[::1] gradient, double step,
                          const double[::1, :] factor, const double[:, :, ::1] weights):
        """Where a step of a Rosenbrock method leads, whose stages share one factorised matrix.

        Stage 0 solves ``M k = -g(x)``, and with ``a, c = weights[i]`` stage ``i + 1``
        solves ``M k = c . k / step - g(x + a . k)``, the stages before on the right.

        Parameters
        ----------
        x, gradient : ndarray, shape (n_parameters,)
        step : float
        factor : ndarray, shape (n_parameters, n_parameters), in Fortran order
            A Cholesky factor of ``M`` in its lower triangle; the upper one is not read.
        weights : ndarray, shape (n_stages - 1, 2, n_stages - 1)
            Row ``i`` has ``i + 1`` weights; what follows them is not read.

        Returns
        -------
        x : ndarray, shape (n_parameters,)
            The position of the last stage, moved by this stage.
        length : float
            Of the last stage; infinite if a stage or its gradient is not finite.
        """
        cdef Py_ssize_t i, j, m, n = self.n, later = weights.shape[0]
        self._fits(x.shape[0])
        self._fits(gradient.shape[0])
        self._fits(factor.shape[0])
        self._fits(factor.shape[1])
        if weights.shape[1] != 2 or weights.shape[2] != later:
            raise InputError("weights must have shape (n, 2, n)")
        last, scratch = np.empty(self.n), np.empty((later + 3) * self.n)
        cdef double[::1] out = last
        cdef double[::1] room = scratch
        cdef double *y = &out[0]
        cdef double *g = &room[0]
        cdef double *inverse = g + n
        cdef double *k = inverse + n
        cdef double *stage = k
        cdef double a, c, length = 0
        with nogil:
            for i in range(n):
                y[i] = x[i]
                inverse[i] = 1 / factor[i, i]
                k[i] = -gradient[i]
            solve_factored(&factor[0, 0], inverse, n, k)
            for m in range(later):
                stage += n
                for i in range(n):
                    y[i] = x[i]
                    stage[i] = 0
                for j in range(m + 1):
                    a, c = weights[m, 0, j], weights[m, 1, j] / step
                    for i in range(n):
                        y[i] += a * k[j * n + i]
                        stage[i] += c * k[j * n + i]
                if not all_finite(y, n):
                    break
                self.kernel.get().energy_gradient(y, g)
                for i in range(n):
                    stage[i] -= g[i]
                solve_factored(&factor[0, 0], inverse, n, stage)
            for i in range(n):
                y[i] += stage[i]
                length += stage[i] * stage[i]
            if not all_finite(y, n):
                length = INFINITY
        return last, sqrt(length)


def band_force(const double[:, ::1] path, const double[::1] energies,
               const double[:, ::1] gradients, const unsigned char[::1] climbing,
               double k, bint double_nudging, double[::1] distances):
    """The force on the images of an elastic band between its ends, with its sign changed.

    Parameters
    ----------
    path : ndarray, shape (n_images, n)
    energies : ndarray, shape (n_images,)
    gradients : ndarray, shape (n_images - 2, n)
    climbing : bytes of length n_images - 2
    k : float
        Of the springs.
    double_nudging : bool
    distances : ndarray, shape (n_images - 1,)
        Is given the distances between neighbours.

    Returns
    -------
    ndarray, shape ((n_images - 2) * n,)
    """
    cdef size_t images = path.shape[0], n = path.shape[1]
    if images < 3 or not (
        <size_t>energies.shape[0] == images == <size_t>distances.shape[0] + 1
        and <size_t>gradients.shape[0] == images - 2 == <size_t>climbing.shape[0]
        and <size_t>gradients.shape[1] == n
    ):
        raise ValueError("the arrays are not those of one band of at least three images")
    force = np.empty((images - 2) * n)
    cdef double[::1] f = force
    with nogil:
        force_on_band(&path[0, 0], &energies[0], &gradients[0, 0], &climbing[0], images, n,
                      k, double_nudging, &f[0], &distances[0])
    return force
