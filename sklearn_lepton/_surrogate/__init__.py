"""The surrogate: a Gaussian process and a forest on the unit cube, with expected improvement.

All functions take and return arrays. The package imports no trials, no search spaces and no
scikit-learn.

================== ==============================================================
module             content
================== ==============================================================
`kernel`           Matérn-5/2 covariance and the encoding of points
`likelihood`       posterior of the hyperparameters and its mode
`gaussian_process` regression, prediction with gradients, pending points
`observations`     standardised scores, choice of the observations to keep
`forest`           extremely randomised trees
`mixture`          the ensemble of process and forest
`acquisition`      logarithm of expected improvement
`maximize`         maximisation of the acquisition
`quasi_newton`     bounded ascent from several starts
`multi_fidelity`   scores at low fidelities
`multi_task`       transfer from source studies
`target_scaling`   offset and scale of the target's scores
`fanova`           functional analysis of variance
================== ==============================================================

Notation (Rasmussen and Williams, 2006; ``X`` and ``y`` are theirs, not the user's)
-----------------------------------------------------------------------------------

=============== ============ ========================================================
symbol          shape        meaning
=============== ============ ========================================================
``n``           int          number of observations
``m``           int          number of query points
``d``           int          number of columns, d >= 0
``X``           (n, d)       observed points in [0, 1]^d; discrete columns at the
                             centres of their cells, inactive columns at exactly 1/2
``y``           (n,)         observed scores, greater is better; standardised to mean
                             0 and deviation 1 wherever a process holds them
``Xs``          (m, d)       query points, encoded as ``X``
``categorical`` (d,) bool    unordered columns: two different values are 1 apart
``theta``       (d + 2,)     hyperparameters: log length-scales (d), log output
                             variance, log noise variance
``ell``         (d,)         length-scales, ``exp(theta[:d])``, in units of the cube
``s2``          float        output variance, ``exp(theta[d])``
``noise``       float        noise variance, ``exp(theta[d + 1])``
``nugget``      float        diagonal term of ``K``: noise plus any jitter
``extra``       (n,)         additional noise variance of each observation, if known
``F``           (n, D)       features: numeric columns shifted by -1/2, then an
                             indicator column of height sqrt(1/2) for each category
                             that occurs, so that plain squared distances of features
                             are those of the points
``owner``       (D,) int     the column of ``X`` that a feature belongs to
``Z``           (n, D)       features divided by the length-scale of their owner
``r2``          (n, n)       scaled squared distances, sum_j d2_j / ell_j^2
``K``           (n, n)       covariance of the observations, s2 k(r2) + nugget I
``L``           (n, n)       lower Cholesky factor of ``K``
``alpha``       (n,)         K^-1 y
``mean, std``   (m,)         posterior of the latent function, without noise
``best``        float        the value to improve on, in units of ``y``
``weight``      float        weight of the forest in the mixture of both models
=============== ============ ========================================================

References
----------
C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning,
MIT Press, 2006.
"""
