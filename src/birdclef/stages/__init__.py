"""One script a DVC stage: read params, call the library, write outputs."""
