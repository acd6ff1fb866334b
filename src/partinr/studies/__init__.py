"""Studies: many fits, what they say, and their pages."""
