"""What a fit begins with."""
