"""Several processes that train one net together: `ranks` is what they have in common, `launch` starts them."""
