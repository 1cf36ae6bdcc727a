"""HTTP below the API: protocol, middleware, errors, forms and uploads."""
