"""The operations, one file a subject. Each is a value and the function that carries it out."""
