"""Live checks: the services that know whether a secret is good, and what their answers mean."""
