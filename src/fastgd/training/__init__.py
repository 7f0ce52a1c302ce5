"""train(), sweep() and related calls: check the arguments, call the engine, return the results."""
