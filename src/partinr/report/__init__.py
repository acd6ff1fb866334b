"""Reports: pictures of partitions and fits, and self-contained HTML pages."""
