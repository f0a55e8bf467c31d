"""Pages: thin functions, one module per page."""
