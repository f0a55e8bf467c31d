"""Start our processes, restart what dies, stop everything together."""
