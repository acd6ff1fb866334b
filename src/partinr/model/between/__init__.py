"""What lies between the samples: the function that is rendered, made of the values at the samples."""
