# cython: language_level=3, boundscheck=False, wraparound=False
# distutils: language = c++
"""The compiled loss of a network: a pele potential and its Hessian products."""

cimport numpy as np
import numpy as np
from libcpp cimport bool as cbool
from libcpp.memory cimport shared_ptr as cpp_shared_ptr, make_shared
from libcpp.vector cimport vector

from pele.potentials cimport _pele

np.import_array()


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
        Kernel(const Model &, size_t, const double *, const long long *, const double *) except +
        size_t n_parameters()
        double energy(const double *) nogil except +
        double energy_gradient(const double *, double *) nogil except +
        double energy_gradient_hessian(const double *, double *, double *) nogil except +
        void hessian_vector_product(const double *, const double *, double *) nogil except +

cdef extern from "pele_potential.hpp" namespace "nnpotential":
    cdef cppclass PelePotential:
        PelePotential(cpp_shared_ptr[Kernel]) except +


ACTIVATIONS = ("tanh", "sigmoid", "softplus", "silu", "relu")
LOSSES = ("cross_entropy", "squared_error")
PELE_VERSION = nnpotential_pele_version.decode()


cdef class KernelPotential(_pele.BasePotential):
    """The kernel behind pele's potential interface, without checks.

    `nnpotential.NNPotential` is the public class; it checks what reaches the
    methods here. All arrays are C-contiguous float64.

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
    labels : ndarray of int64, shape (n_samples,), or None
    targets : ndarray, shape (n_samples, n_out), or None
    """

    cdef cpp_shared_ptr[Kernel] kernel
    cdef size_t n

    def __cinit__(self, sizes, bint bias, int activation, int loss,
                  double regularization, bint regularize_bias,
                  const double[:, ::1] X, const long long[::1] labels,
                  const double[:, ::1] targets, **kwargs):
        cdef Model model
        for size in sizes:
            model.sizes.push_back(<size_t>size)
        model.bias = bias
        model.activation = <Activation>activation
        model.loss = <Loss>loss
        model.regularization = regularization
        model.regularize_bias = regularize_bias
        self.kernel = make_shared[Kernel](
            model, <size_t>X.shape[0], &X[0, 0],
            &labels[0] if labels is not None else NULL,
            &targets[0, 0] if targets is not None else NULL)
        self.n = self.kernel.get().n_parameters()
        self.thisptr = _pele.shared_ptr[_pele.cBasePotential](
            <_pele.cBasePotential *>new PelePotential(self.kernel))

    def energy(self, const double[::1] x):
        cdef double e
        with nogil:
            e = self.kernel.get().energy(&x[0])
        return e

    def energy_gradient(self, const double[::1] x):
        gradient = np.empty(self.n)
        cdef double[::1] g = gradient
        cdef double e
        with nogil:
            e = self.kernel.get().energy_gradient(&x[0], &g[0])
        return e, gradient

    def energy_gradient_hessian(self, const double[::1] x):
        gradient = np.empty(self.n)
        hessian = np.empty((self.n, self.n))
        cdef double[::1] g = gradient
        cdef double[:, ::1] h = hessian
        cdef double e
        with nogil:
            e = self.kernel.get().energy_gradient_hessian(&x[0], &g[0], &h[0, 0])
        return e, gradient, hessian

    def product(self, const double[::1] x, const double[::1] v):
        result = np.empty(self.n)
        cdef double[::1] out = result
        with nogil:
            self.kernel.get().hessian_vector_product(&x[0], &v[0], &out[0])
        return result
