"""One file a rule of the book (R1 to R15), named after it."""
