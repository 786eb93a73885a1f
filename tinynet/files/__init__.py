"""Models in files: an archive of data only, replaced in one move."""
