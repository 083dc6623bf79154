"""Several runs that belong together: compare, make again, wait in a queue."""
