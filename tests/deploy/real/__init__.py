"""The same on real programs: nginx, Caddy, systemd (make test-server)."""
