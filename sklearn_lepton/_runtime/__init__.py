"""State of the process: output, interrupts, locks, errors and floating-point flags."""
