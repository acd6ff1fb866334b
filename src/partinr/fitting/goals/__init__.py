"""When a fit is done, and where its parameters go."""
