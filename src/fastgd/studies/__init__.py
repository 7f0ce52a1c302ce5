"""One question to many trainings: a frozen result, no picture, no print."""
