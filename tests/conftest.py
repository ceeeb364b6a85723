"""Settings of hypothesis for all tests."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "lepton",
    deadline=None,
    max_examples=50,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("lepton")
