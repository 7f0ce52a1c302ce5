"""train(), sweep() and their kin: check, engine, hand back."""
