"""Every way to write (`bin/explore`), and every way to fail (`bin/faults`)."""
