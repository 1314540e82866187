"""What Filmroom costs, measured: `make bench` prints the table of docs/performance.md."""
