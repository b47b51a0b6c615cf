"""What the other tools are pointed at: one file, or folder, in the form that each of them expects."""
