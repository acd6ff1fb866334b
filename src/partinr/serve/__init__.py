"""Functions served over HTTP: the IIIF Image API, and a page with a viewer."""
