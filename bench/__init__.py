"""The measures of the project; see README.md."""
