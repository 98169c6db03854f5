"""What shows that a fault bites: flows between every pair of zones, tried all the time, as metrics."""
