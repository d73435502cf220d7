"""What the fuzzer finds of planted defects, and what it finds where there is nothing."""
