"""Built-in spaces: the defaults lie in them, and whatever they propose can be fitted."""

import numpy as np
import pytest
import space_subjects

from sklearn_lepton import Space, default_space


def samples(space, n, seed=0):
    rng = np.random.default_rng(seed)
    return [space.from_point(space.snap(p[None])[0]) for p in rng.uniform(size=(n, space.n_dims))]


def check_samples(name, n_samples, **shape):
    X, y = space_subjects.make_data(name, **shape)
    estimator = space_subjects.make(name)
    space = Space(default_space(estimator, X, y))
    for params in samples(space, n_samples):
        try:
            space_subjects.fit(estimator, X, y, params)
        except Exception as error:
            raise AssertionError(f"{name} with {params}: {error!r}") from error


def holds(space, params):
    for branch in space.branches:
        try:
            space.to_point({name: params[name] for name in branch})
        except ValueError:
            continue
        else:
            return True
    return False


@pytest.mark.parametrize("name", space_subjects.names_in_the_table())
def test_the_defaults_lie_in_the_space(name):
    estimator = space_subjects.make(name)
    for data in [(None, None), *(space_subjects.make_data(name, n) for n in (30, 60))]:
        space = Space(default_space(estimator, *data))
        assert holds(space, estimator.get_params())


@pytest.mark.parametrize("name", space_subjects.names_in_the_table())
def test_samples_can_be_fitted(name):
    check_samples(name, 3, n_rows=30)
