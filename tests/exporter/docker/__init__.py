"""Docker: the engine, its objects and what its containers use."""
