"""Studies of many trainings: each returns a frozen result, without plotting or printing."""
