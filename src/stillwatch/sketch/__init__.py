"""A text as numbers: pure kernels over Arrow buffers."""
