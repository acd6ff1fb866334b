"""The function: partitions, networks, and the piecewise whole that they make."""
