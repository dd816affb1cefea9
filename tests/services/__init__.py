"""Live checks: asking services whether a secret is good, and what their answers mean."""
