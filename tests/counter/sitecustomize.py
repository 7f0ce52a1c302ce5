"""Imported by Python itself in each process that tests start, if kernels are to be counted."""

import os

import kernel_counter

if kernel_counter.LOG in os.environ:
    kernel_counter.watch()
