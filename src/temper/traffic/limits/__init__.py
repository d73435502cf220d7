"""What a service may have that Temper starts itself: processor, memory, files, cores, disk; set, read back, told."""
