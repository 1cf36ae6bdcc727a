"""Code that the soak and the fault runs share: the real service, pictures with their answers, resources."""
