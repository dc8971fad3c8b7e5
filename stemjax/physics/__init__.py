"""What the microscope does, in pure JAX and with nothing on disk: noise, optics, rendered atoms, drift."""
