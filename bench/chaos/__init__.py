"""What is lost in drills, with a guard and without one."""
