"""Who runs the images: which one on which instance, and the requests that make an endpoint."""
