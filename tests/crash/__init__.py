"""Real processes killed at random points, and what a trace of their system calls shows."""
