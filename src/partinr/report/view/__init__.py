"""Pages in which the browser itself evaluates a function."""
